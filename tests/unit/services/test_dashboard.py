"""The dashboard over rows: windows, recent rows, failures inside, and each recommendation."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agenttower.clock import MILLISECOND
from agenttower.domain.readiness import (
    Health,
    Subsystem,
    SubsystemHealth,
    in_order,
    unwell,
    well,
)
from agenttower.protocol.app.dashboard import SKIP_WINDOW_MS, Dashboard
from agenttower.services.caller import HOST
from agenttower.services.dashboard import DashboardService
from agenttower.services.readiness import ReadinessService
from agenttower.store import app_counts, app_recent, routes
from agenttower.store.models import Agent, Container, Event, Pane, Prompt
from tests.support.wired import BENCH, MASTER, NOON, OTHER, SLAVE, Wired, wired


class Rows(ReadinessService):
    """Readiness as a test says."""

    def __init__(self, *ill: SubsystemHealth) -> None:
        self.ill = ill

    def rows(self, asked_at: float, *, final: bool) -> tuple[SubsystemHealth, ...]:
        return in_order([*map(well, Subsystem), *self.ill])


@pytest.fixture
def tower(tmp_path: Path) -> Iterator[Wired]:
    with wired(tmp_path) as tower:
        yield tower


def look(tower: Wired, *ill: SubsystemHealth, limit: int = 10, **parts: Any) -> Dashboard:
    now = tower.now
    found = DashboardService(Rows(*ill), lambda: now, **parts).dashboard(limit, 0.0, final=True)
    assert found is not None
    return msgspec.convert(msgspec.to_builtins(found), Dashboard)  # as declared, on the wire too


def recommended(tower: Wired, *ill: SubsystemHealth) -> tuple[str, str | None]:
    action = look(tower, *ill).recommended_next_action
    assert action is not None
    return action.code.value, action.target and action.target.id


def skip(tower: Wired, at: int, event_type: str = "route_skipped") -> None:
    with tower.store.transaction():
        Event.insert(
            kind="route", event_type=event_type, actor="daemon", payload="{}", created_at=at
        ).execute()


def prompt(tower: Wired, *, routing: bool) -> str:
    """A prompt of the operator, blocked where routing is off."""
    if not routing:
        tower.switch.toggle(HOST, "disabled")
    message_id = f"00000000-0000-4000-8000-{Prompt.select().count():012d}"
    with tower.store.transaction() as transaction:
        from agenttower.services.prompts import NewPrompt

        tower.queue.enqueue(
            transaction,
            NewPrompt(sender=MASTER, target=SLAVE, body=b"secret words", message_id=message_id),
        )
    return message_id


def test_skips_count_within_the_window(tower: Wired) -> None:
    window = SKIP_WINDOW_MS * MILLISECOND
    for at in (tower.now - window, tower.now - window - 1, tower.now + 1):
        skip(tower, at)
    assert look(tower).counts.routes.recently_skipped_count == 0
    for at in (tower.now - window + 1, tower.now - 5, tower.now):
        skip(tower, at)
        skip(tower, at, "route_matched")
    assert look(tower).counts.routes.recently_skipped_count == 3
    plan = tower.store.execute(
        "EXPLAIN QUERY PLAN SELECT COUNT(*) FROM event WHERE kind = 'route'"
        " AND event_type = 'route_skipped' AND created_at > 1 AND created_at <= 2"
    ).fetchall()
    assert "event_route_skipped" in str(plan)


def test_recent_rows_are_the_newest_first(tower: Wired) -> None:
    first, second = tower.route(), tower.route(event_type="completed")
    ids = [tower.event(agent_id=SLAVE) for _ in range(3)]
    tower.routing.cycle()
    direct = prompt(tower, routing=True)
    shown = look(tower, limit=2).recent
    assert [row.id for row in shown.events] == ids[:0:-1]
    assert (shown.events[0].type, shown.events[0].agent_id) == ("error", SLAVE)
    assert SLAVE in shown.events[0].summary
    assert [row.id for row in shown.routes] == [second, first]
    assert shown.routes[0].summary == f"completed to {SLAVE}"
    assert [row.type for row in shown.queue] == ["direct", "route"]
    assert shown.queue[0].id == direct
    assert shown.queue[0].summary == "boss to worker, queued"
    assert "secret" not in json.dumps(msgspec.to_builtins(shown))
    everything = look(tower, limit=50)
    assert everything.counts.events.total == len(everything.recent.events) == 3


def test_counts_of_a_small_tower(tower: Wired) -> None:
    counts = look(tower).counts
    assert (counts.containers.active, counts.containers.inactive) == (1, 0)
    assert (counts.panes.total, counts.panes.registered, counts.panes.unregistered) == (3, 3, 0)
    assert counts.panes.by_state.discovered_and_registered == 3
    assert (counts.agents.total, counts.agents.by_role.slave) == (3, 2)
    assert (counts.agents.by_state.active, counts.agents.by_state.log_detached) == (3, 3)
    assert counts.log_attachments.none == 3
    assert [hint.code for hint in look(tower).hints] == ["attach_logs", "enable_first_route"]


def test_a_pane_that_the_last_look_did_not_see(tower: Wired) -> None:
    with tower.store.transaction():
        Container.update(panes_scanned_at=NOON + 1).execute()
        Pane.update(last_seen_at=NOON + 1).where(Pane.tmux_pane_index != 12).execute()
    by_state = look(tower).counts.panes.by_state
    assert (by_state.inactive_or_stale, by_state.discovered_and_registered) == (1, 2)
    with tower.store.transaction():
        Container.update(pane_scan_error="docker_exec_failed").execute()
    by_state = look(tower).counts.panes.by_state
    assert (by_state.discovery_degraded, by_state.inactive_or_stale) == (3, 0)


def test_each_recommendation(tower: Wired) -> None:
    assert recommended(tower) == ("no_routes_configured", None)
    route = tower.route()
    tower.routes.switch(HOST, route, enabled=False, claim=None)
    assert recommended(tower) == ("all_clear", None)
    blocked = prompt(tower, routing=False)
    prompt(tower, routing=False)
    action = look(tower).recommended_next_action
    assert action is not None
    assert (action.code, action.target and action.target.id) == ("blocked_queue_drain", blocked)
    assert action.detail is not None
    assert action.detail.startswith("2 queue row(s)")
    with tower.store.transaction():
        Agent.update(active=False).where(Agent.agent_id.in_([SLAVE, OTHER])).execute()
    assert recommended(tower) == ("unadopted_panes_present", "%11")
    with tower.store.transaction():
        Pane.delete().execute()
    # An agent that is active has a pane, whether or not a scan has seen it.
    assert recommended(tower) == ("blocked_queue_drain", blocked)
    with tower.store.transaction():
        Agent.update(active=False).execute()
    assert recommended(tower) == ("no_panes_discovered", BENCH)
    with tower.store.transaction():
        Container.delete().execute()
    assert recommended(tower) == ("no_containers", None)
    ill = unwell(Subsystem.JSONL, Health.DEGRADED, "late")
    assert recommended(tower, ill) == ("subsystem_degraded", "jsonl")


@pytest.mark.parametrize(
    ("module", "question", "lost"),
    [
        (app_counts, "containers", "containers"),
        (app_counts, "panes", "panes"),
        (app_counts, "agents", "agents"),
        (app_counts, "attachments", "log_attachments"),
        (app_counts, "events", "events"),
        (app_counts, "prompts", "queue"),
        (app_counts, "route_skips", "routes"),
        (routes, "counts", "routes"),
        (app_counts, "first_adoptable_pane", None),
        (app_recent, "events", None),
    ],
)
def test_a_question_that_fails_costs_its_own_numbers(
    tower: Wired,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    question: str,
    lost: str | None,
) -> None:
    tower.route()
    tower.event()
    prompt(tower, routing=True)
    before = msgspec.to_builtins(look(tower).counts)

    def fail(*_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(module, question, fail)
    found = look(tower)
    after = msgspec.to_builtins(found.counts)
    for name, counts in after.items():
        if name == lost:
            assert not any(_numbers(counts, but="recently_skipped_window_ms"))
        elif (name, lost) != ("log_attachments", "agents"):  # which counts what agents lack
            assert counts == before[name]
    action = found.recommended_next_action
    assert action is not None
    assert (action.code, action.target and action.target.id) == ("subsystem_degraded", "sqlite")


def test_a_recommendation_that_fails_is_left_out(
    tower: Wired, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: object) -> Any:
        raise ZeroDivisionError

    with caplog.at_level(logging.WARNING):
        found = look(tower, recommend=fail)
    assert found.recommended_next_action is None
    assert found.recommended_next_action_refreshed_at is None
    assert found.counts == look(tower).counts
    assert [record.message for record in caplog.records] == [
        "app_dashboard_recommendation_compute_failed"
    ]


def test_when_it_was_recommended(tower: Wired) -> None:
    tower.now = 1_779_643_425_123_456
    assert look(tower).recommended_next_action_refreshed_at == "2026-05-24T17:23:45.123Z"


def _numbers(counts: Any, but: str) -> list[int]:
    if isinstance(counts, dict):
        return [n for name, part in counts.items() if name != but for n in _numbers(part, but)]
    return [counts]
