"""``status`` shows the whole picture: blocks as the contract has them, and what is not well."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agenttower.clock import SECOND
from agenttower.engine import presence
from agenttower.paths import default_paths
from agenttower.services.caller import HOST
from agenttower.services.status import StatusService
from agenttower.settings import RoutingRules
from agenttower.store import subsystems
from agenttower.store.models import Attention, Container, ContainerScan, Event, RelayPosition
from tests.support.wired import BENCH, OTHER, SLAVE, Wired, nothing, wired
from workers.routing import RoutingHeartbeat


@pytest.fixture
def tower(tmp_path: Path) -> Iterator[Wired]:
    with wired(tmp_path, RoutingRules(brake_prompts=2)) as tower:
        yield tower


@pytest.fixture
def status(tower: Wired, tmp_path: Path) -> StatusService:
    return service(tower, tmp_path)


def service(tower: Wired, home: Path) -> StatusService:
    paths = default_paths({"HOME": str(home)})
    return StatusService(tower.store, paths, tower.switch, tower.rules, tower.clock, list)


def alive(tower: Wired) -> None:
    presence.announce(tower.store, "w", presence.this_process(), tower.now)


def relayed(tower: Wired) -> None:
    newest = Event.select(Event.id).order_by(Event.id.desc()).first()
    RelayPosition.insert(
        id=1, last_event_id=newest.id if newest else 0, file_offset=0
    ).on_conflict_replace().execute()


def test_a_fresh_tower(tower: Wired, status: StatusService) -> None:
    alive(tower)
    shown = status.status(whole=True)
    assert shown["events_reader"] == {
        "running": False,
        "last_cycle_started_at": None,
        "last_cycle_duration_ms": None,
        "active_attachments": 0,
        "attachments_in_failure": [],
        "lag_bytes": 0,
    }
    assert shown["events_persistence"] == {"degraded_sqlite": None, "degraded_jsonl": None}
    assert shown["routing"] == {
        "value": "enabled",
        "last_updated_at": shown["routing"]["last_updated_at"],
        "last_updated_by": "(daemon-init)",
        "routes_total": 0,
        "routes_enabled": 0,
        "routes_disabled": 0,
        "last_routing_cycle_at": None,
        "events_consumed_total": 0,
        "skips_by_reason": {},
        "most_stalled_route": None,
        "routing_worker_degraded": False,
        "degraded_routing_audit_persistence": False,
        "last_heartbeat_at": None,
    }
    assert shown["queue_audit"] == {
        "degraded": False,
        "pending_rows": 0,
        "last_failure_exc_class": None,
    }
    assert [bench["agents"] for bench in shown["benches"]["items"]] == [3]
    assert shown["degraded"] == []


def test_others_see_base_and_blocks_without_names(tower: Wired, status: StatusService) -> None:
    tower.route()
    tower.event()
    failing = {"attachment_id": "a", "agent_id": SLAVE, "error_class": "x", "since": "s"}
    said = {"running": True, "active_attachments": 1, "attachments_in_failure": [failing]}
    subsystems.write("events_reader", said, tower.now)
    host, other = status.status(whole=True), status.status(whole=False)
    assert host["events_reader"]["attachments_in_failure"] == [failing]
    assert host["routing"]["most_stalled_route"]["lag"] == 1
    assert other["events_reader"]["attachments_in_failure"] == []
    assert other["routing"]["most_stalled_route"] is None
    assert set(other) == {
        *("alive", "pid", "start_time_utc", "uptime_seconds", "socket_path", "state_path"),
        *("schema_version", "daemon_version", "worker"),
        *("events_reader", "events_persistence", "routing", "queue_audit"),
    }
    assert SLAVE not in json.dumps(other)


def test_the_route_that_lags_most_and_the_brake(tower: Wired, status: StatusService) -> None:
    alive(tower)
    one = tower.route(source_scope_kind="agent_id", source_scope_value=OTHER)
    two = tower.route(template="x")
    off = tower.route()
    tower.routes.switch(HOST, off, enabled=False)
    for _ in range(5):
        tower.event(agent_id=SLAVE)
    tower.event(agent_id=OTHER)
    shown = status.status(whole=True)
    assert shown["routing"]["most_stalled_route"] == {"route_id": two, "lag": 6}
    assert [(x["route_id"], x["lag"]) for x in shown["lagging_routes"]] == [(two, 6), (one, 1)]
    tower.routing.cycle()
    shown = status.status(whole=True)
    assert [(x["route_id"], x["lag"]) for x in shown["lagging_routes"]] == [(two, 4)]
    (trouble,) = [x for x in shown["degraded"] if x["subsystem"] == "route"]
    assert trouble["subject"] == two
    assert shown["routing"]["events_consumed_total"] == 8
    assert (shown["routing"]["routes_total"], shown["routing"]["routes_disabled"]) == (3, 1)


def test_skips_and_heartbeat(tower: Wired, status: StatusService) -> None:
    tower.route(target_value="nobody")
    tower.event()
    tower.routing.cycle()
    RoutingHeartbeat(tower.store, tower.tally, 60, tower.clock, nothing).beat()
    routing = status.status(whole=True)["routing"]
    assert routing["skips_by_reason"] == {"target_not_found": 1}
    assert routing["last_routing_cycle_at"] < routing["last_heartbeat_at"]


def test_what_waits_in_the_queue(tower: Wired, status: StatusService) -> None:
    alive(tower)
    tower.route(template="x")
    tower.event()
    tower.routing.cycle()
    tower.switch.toggle(HOST, "disabled")
    tower.event()
    tower.routing.cycle()
    relayed(tower)
    queue = status.status(whole=True)["queue"]
    assert (queue["queued"], queue["blocked"]) == (1, 1)
    assert queue["blocked_by_reason"] == {"kill_switch_off": 1}
    (trouble,) = status.status(whole=True)["degraded"]
    assert trouble["reason"] == "the kill switch was set by host-operator; 2 prompts wait"
    tower.switch.toggle(HOST, "enabled")
    relayed(tower)
    tower.now += 61 * SECOND
    shown = status.status(whole=True)
    assert shown["queue"]["oldest_queued_seconds"] >= 61
    assert "queue" in [x["subsystem"] for x in shown["degraded"]]


def test_events_that_do_not_get_into_the_file(tower: Wired, status: StatusService) -> None:
    alive(tower)
    tower.route(template="x")
    tower.event()
    tower.routing.cycle()
    assert status.status(whole=True)["events_persistence"]["degraded_jsonl"] is None
    tower.now += 11 * SECOND
    said = {"since": "2026-11-20T12:00:00+00:00", "last_error_class": "OSError"}
    subsystems.write("events_relay", {"degraded_jsonl": said}, tower.now)
    shown = status.status(whole=True)
    assert shown["events_persistence"]["degraded_jsonl"]["pending_event_count"] == 4
    assert shown["events_persistence"]["degraded_jsonl"]["last_error_class"] == "OSError"
    assert shown["queue_audit"] == {
        "degraded": True,
        "pending_rows": 1,
        "last_failure_exc_class": "OSError",
    }
    assert shown["routing"]["degraded_routing_audit_persistence"] is True
    assert [x["subsystem"] for x in shown["degraded"]] == ["events_file"]
    relayed(tower)
    subsystems.write("events_relay", {"degraded_jsonl": None}, tower.now)
    shown = status.status(whole=True)
    assert (shown["degraded"], shown["events_persistence"]["degraded_jsonl"]) == ([], None)


def test_a_worker_that_is_gone_is_the_first_trouble(tower: Wired, status: StatusService) -> None:
    said = {"running": True, "active_attachments": 1, "attachments_in_failure": []}
    subsystems.write("events_reader", said, tower.now)
    shown = status.status(whole=True)
    assert shown["events_reader"]["running"] is False
    assert shown["degraded"][0]["subsystem"] == "worker"
    assert "agenttower worker" in shown["degraded"][0]["advice"]


def test_panes_that_wait_benches_that_are_gone_and_scans_that_failed(
    tower: Wired, status: StatusService
) -> None:
    alive(tower)
    Attention.insert(
        agent_id=SLAVE,
        kind="trust",
        rule_id="r",
        text="Do you trust?",
        since=1,
        seen_at=2,
        told=True,
    ).execute()
    ContainerScan.insert(
        scan_id="s", started_at=1, completed_at=2, status="failed", matched_count=0,
        inactive_reconciled_count=0, ignored_count=0, error_code="docker_unavailable",
        error_message="no engine", error_details="[]",
    ).execute()  # fmt: skip
    Container.update(active=False, status="exited").execute()
    shown = status.status(whole=True)
    (waiting,) = shown["attention"]["panes"]
    assert (waiting["label"], waiting["container_id"], waiting["text"]) == (
        "worker",
        BENCH,
        "Do you trust?",
    )
    assert shown["benches"] == {"active": 0, "inactive": 1, "items": []}
    assert [x["subsystem"] for x in shown["degraded"]] == ["container_discovery"]


def test_a_long_history_costs_nothing(tower: Wired, status: StatusService) -> None:
    """Work done for one ``status`` with 100,000 events behind it: by SQLite's own count."""
    tower.route(source_scope_kind="role", source_scope_value="role:slave")
    payload = json.dumps({"excerpt": "x" * 200})
    rows = ((n, "agent", ("error", "activity")[n % 2], SLAVE, payload) for n in range(1, 100_001))
    with tower.store.transaction():
        connection = tower.store.database.connection()
        connection.executemany(
            "INSERT INTO event (id, kind, event_type, actor, agent_id, payload, created_at)"
            " VALUES (? + 10, ?, ?, 'daemon', ?, ?, 1)",
            rows,
        )
    relayed(tower)
    tower.store.execute("UPDATE route SET last_consumed_event_id = 100000")
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1000

    connection.set_progress_handler(count, 1000)
    began = time.perf_counter()
    shown = status.status(whole=True)
    took = time.perf_counter() - began
    connection.set_progress_handler(None, 0)
    assert shown["routing"]["most_stalled_route"]["lag"] == 5
    assert steps <= 20_000, f"{steps} steps of SQLite's machine, {took * 1000:.1f} ms"
