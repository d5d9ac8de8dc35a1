"""kill -9 of serve around the commits of a pane scan and of a registration: all of it, or nothing.

Asking again gives what an undisturbed run gives, and each line of the audit is relayed once.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from agenttower.client.registering import KEY
from tests.support.docker import BenchFactory
from tests.support.layouts import bench_with_logs, tmux
from tests.support.tower import Tower
from tests.support.waiting import wait_until


def killed(tower: Tower, point: str, method: str, params: dict[str, Any]) -> None:
    """Ask, and let serve die at the point; then it runs again."""
    tower.stop("serve")
    tower.start("serve", environ={"AGENTTOWER_CRASH_AT": point})
    with suppress(OSError, ValueError):
        tower.call(method, params)
    tower.wait_killed("serve")
    tower.start("serve")


def agents(tower: Tower) -> list[str]:
    return [agent["agent_id"] for agent in tower.result("list_agents")["agents"]]


def test_scans_and_registrations_are_whole_or_not_there(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    tmux(bench, "new-session", "-d", "-s", "work", "sleep", "infinity")

    killed(tower, "pane_scan.committing", "scan_panes", {})
    assert tower.result("list_panes")["panes"] == []
    killed(tower, "pane_scan.committed", "scan_panes", {})
    [pane] = tower.result("list_panes")["panes"]
    again = tower.result("scan_panes")
    assert (again["panes_seen"], again["panes_newly_active"]) == (1, 0)

    wanted = {
        "container_id": bench.id,
        "pane_composite_key": {name: pane[name] for name in KEY},
        "role": "slave",
    }
    killed(tower, "register.committing", "register_agent", wanted)
    assert agents(tower) == []
    killed(tower, "register.committed", "register_agent", wanted)
    [agent_id] = agents(tower)
    done = tower.result("register_agent", wanted)
    assert (done["agent_id"], done["created_or_reactivated"]) == (agent_id, "updated")

    def roles() -> list[str]:
        text = tower.home.paths.events_file.read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text.splitlines()]
        changes = [line for line in lines if line.get("type") == "agent_role_change"]
        return [line["payload"]["agent_id"] for line in changes]

    # Who died before he could ring costs the relay's safety net, no more.
    wait_until(roles, 10, "the line of the role to be relayed")
    assert roles() == [agent_id]
