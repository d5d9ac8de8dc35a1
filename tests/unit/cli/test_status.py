"""``agenttower status`` for people: everything at a glance, and what to do."""

from __future__ import annotations

from typing import Any

from tests.unit.cli import samples
from tests.unit.cli.fake_daemon import FakeDaemon


def picture(**changes: Any) -> dict[str, Any]:
    return {
        "alive": True,
        "pid": 1,
        "start_time_utc": samples.START,
        "daemon_version": "0.1.0",
        "worker": {"alive": True, "pid": 2, "heartbeat_at": samples.START},
        "events_reader": {"running": True, "active_attachments": 3, "lag_bytes": 10},
        "routing": {
            "value": "enabled",
            "routes_enabled": 2,
            "routes_disabled": 1,
            "events_consumed_total": 7,
            "skips_by_reason": {"target_not_found": 2},
            "most_stalled_route": {"route_id": "3f2a6c1e-3a52", "lag": 4},
        },
        "benches": {"active": 1, "inactive": 0, "items": [{"agents": 3}]},
        "layouts": {"ready": 1, "degraded": 2},
        "attention": {"count": 0, "panes": []},
        "queue": {
            "queued": 2,
            "in_flight": 1,
            "blocked": 1,
            "blocked_by_reason": {"kill_switch_off": 1},
            "oldest_queued_seconds": 12,
        },
        "degraded": [],
        **changes,
    }


def test_all_is_well(cli, daemon: FakeDaemon):
    daemon.on("status", picture())
    out = cli.on_terminal("status").out
    for words in (
        "0.1.0, pid 1",
        "1 active, 0 inactive; 3 agents",
        "1 ready, 2 degraded",
        "2 queued (oldest 12s), 1 in delivery, 1 blocked (1 kill_switch_off)",
        "routing enabled; 2 enabled, 1 disabled; 7 events decided, 2 skipped; 3f2a6c1e lags by 4",
        "reader runs; 3 logs, 10 bytes behind",
        "all is well",
    ):
        assert words in out


def test_what_is_not_well_says_what_to_do(cli, daemon: FakeDaemon):
    pane = {"label": "s1\x1b", "agent_id": "a", "kind": "trust", "text": "Trust?", "since": None}
    trouble = {
        "subsystem": "bench",
        "subject": "bench-1",
        "since": samples.START,
        "reason": "it is gone\x07",
        "advice": "start it",
    }
    dead = {"alive": False, "pid": None, "heartbeat_at": None}
    daemon.on(
        "status",
        picture(worker=dead, attention={"count": 11, "panes": [pane] * 11}, degraded=[trouble]),
    )
    out = cli.on_terminal("status").out
    for words in (
        "NO WORKER",
        "11 waiting for a person",
        "s1\\x1b  -  trust: Trust?",
        "and 1 more",
        "1 not well",
        "bench bench-1",
        "it is gone\\x07",
        "start it",
    ):
        assert words in out


def test_a_pipe_gets_every_leaf(cli, daemon: FakeDaemon):
    daemon.on("status", picture())
    lines = cli("status").lines
    assert "queue.blocked_by_reason.kill_switch_off=1" in lines
    assert f"start_time={samples.START}" in lines
