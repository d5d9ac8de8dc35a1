"""How fast a control panel gets its home view (app surface, section 11.8)."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing

from benchmarks.report import Aim, Measure, Ratio, Section
from benchmarks.scope import Scope
from benchmarks.testbed import Testbed, testbed
from tests.support.waiting import wait_until

CONTAINERS, AGENTS, ROUTES = 10, 200, 100
EVENTS, PROMPTS = 100_000, 10_000


def run(scope: Scope) -> Section:
    """One client; each request on a connection of its own, as the contract has it."""
    count = scope.count(500, 60)
    with testbed(scope.engine()) as bed:
        for _ in range(CONTAINERS):
            bed.bench().exec_run(["tmux", "new-session", "-d", "-s", "work", "sleep", "infinity"])
        _fill(bed)
        token = _hello(bed)
        wait_until(lambda: _is_ready(bed, token), 120, "the events file to have all events")
        ping = _times(lambda: bed.tower.result("ping"), count)
        first = _times(lambda: _ask(bed, "dashboard", _hello(bed)), 6)
        dashboard = _times(lambda: _ask(bed, "dashboard", token), count)
        readiness = _times(lambda: _ask(bed, "readiness", token), count)
        panes = _times(lambda: _ask(bed, "scan.panes", token), scope.count(20, 5))
    large = f"{CONTAINERS} containers, {AGENTS} agents, {ROUTES} routes"
    measures = [
        Measure("ping", "ms", ping, note="the floor: socket, peer check, envelope"),
        Measure("hello, then dashboard", "ms", first, [Aim("high", 500)], "two connections"),
        Measure("dashboard", "ms", dashboard, [Aim("p99", 500)], large),
        Measure("readiness", "ms", readiness, [Aim("p99", 100)], "with a ping of the engine"),
        Measure("scan of panes, waited for", "ms", panes, note=f"{CONTAINERS} containers"),
    ]
    ratio = measures[2].summary.median / measures[0].summary.median
    return Section(
        "The home view of a control panel",
        measures,
        ratios=[Ratio("dashboard / ping", ratio)],
        notes=[f"{EVENTS:,} events and {PROMPTS:,} prompts are stored."],
    )


def _is_ready(bed: Testbed, token: str) -> bool:
    shown = bed.tower.result("app.readiness", {"app_session_token": token})
    return bool(shown["state"] == "ready")


def _hello(bed: Testbed) -> str:
    return str(bed.tower.result("app.hello")["app_session_token"])


def _ask(bed: Testbed, method: str, token: str) -> object:
    return bed.tower.result(f"app.{method}", {"app_session_token": token})


def _times(ask: Callable[[], object], count: int) -> list[float]:
    """Milliseconds from connecting to the decoded answer."""
    took = []
    for _ in range(count):
        start = time.perf_counter()
        ask()
        took.append((time.perf_counter() - start) * 1e3)
    return took


def _fill(bed: Testbed) -> None:
    """What nobody has to make by hand: rows, as their writers leave them."""
    now = time.time_ns() // 1000
    with closing(sqlite3.connect(bed.tower.home.paths.database, timeout=30)) as db, db:
        ids = [row[0] for row in db.execute("SELECT id FROM container ORDER BY name")]
        places = [
            (ids[n % CONTAINERS], "/tmp/tmux-0/many", "many", 0, n // CONTAINERS, f"%{n}")
            for n in range(AGENTS)
        ]
        db.executemany(
            "INSERT INTO pane (container_id, tmux_socket_path, tmux_session_name,"
            " tmux_window_index, tmux_pane_index, tmux_pane_id, tmux_server, container_user,"
            " token, pane_pid, pane_tty, pane_current_command, pane_current_path, pane_title,"
            " pane_active, active, first_seen_at, last_scanned_at, last_seen_at)"
            " VALUES (?, ?, ?, ?, ?, ?, '1', 'root', '', 1, '', 'sh', '/', '', 1, 1, ?, ?, ?)",
            [(*place, now, now, now) for place in places],
        )
        db.executemany(
            "INSERT INTO agent (agent_id, container_id, tmux_socket_path, tmux_session_name,"
            " tmux_window_index, tmux_pane_index, tmux_pane_id, role, capability, label,"
            " project_path, origin, created_at, last_registered_at, active)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 'slave', 'codex', ?, '', 'adopted', ?, ?, 1)",
            [(f"agt_{n:012x}", *place, f"a{n}", now, now) for n, place in enumerate(places)],
        )
        db.executemany(
            "INSERT INTO event (kind, event_type, actor, agent_id, container_id, byte_start,"
            " payload, created_at) VALUES ('agent', 'activity', 'daemon', ?, ?, ?, ?, ?)",
            (
                (f"agt_{n % AGENTS:012x}", ids[n % CONTAINERS], n, _EVENT, now - 60_000_000 + n)
                for n in range(EVENTS)
            ),
        )
        db.executemany(
            "INSERT INTO prompt (message_id, state, form, sender_agent_id, sender_label,"
            " sender_role, target_agent_id, target_label, target_role, target_container_id,"
            " target_pane, envelope_body, envelope_size_bytes, envelope_body_sha256, excerpt,"
            " origin, enqueued_at, delivered_at, last_updated_at) VALUES (?, 'delivered', 'plain',"
            " 'host-operator', '', 'master', ?, 'a', 'slave', ?, '%0', ?, 1000, '', '', 'direct',"
            " ?, ?, ?)",
            (
                (f"{n:032x}", f"agt_{n % AGENTS:012x}", ids[0], b"x" * 1000, now + n, now, now)
                for n in range(PROMPTS)
            ),
        )
    for n in range(ROUTES):
        bed.tower.result(
            "routes.add",
            {
                "event_type": "error",
                "source_scope_kind": "agent_id",
                "source_scope_value": f"agt_{n:012x}",
                "target_rule": "source",
                "master_rule": "auto",
                "template": "{event_excerpt}",
            },
        )


_EVENT = (
    '{"attachment_id": "", "log_path": "", "byte_range_end": 0, "line_offset_start": 0,'
    ' "line_offset_end": 0, "excerpt": "made progress", "classifier_rule_id": "activity.fallback",'
    ' "debounce": {"window_id": null, "collapsed_count": 1, "window_started_at": null,'
    ' "window_ended_at": null}, "schema_version": 1}'
)
