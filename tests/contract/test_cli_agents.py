"""Finding and adopting panes from the command line, against a real daemon and a real bench."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from tests.contract.conftest import Run
from tests.support.docker import BenchFactory
from tests.support.layouts import bench_with_logs, tmux
from tests.support.tower import Tower


def test_from_a_scan_to_a_master(
    tower: Tower, bench_factory: BenchFactory, agenttower: Run
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    name = str(bench.name)
    # A bench without tmux is told, and stays without.
    degraded = json.loads(agenttower("scan", "--panes", "--json", code=5).out)["result"]
    assert degraded["error_code"] == "socket_dir_missing"
    assert "no server running" in tmux(bench, "ls") or "error connecting" in tmux(bench, "ls")

    tmux(bench, "new-session", "-d", "-s", "work", "sleep", "infinity")
    tmux(bench, "split-window", "-d", "-t", "work", "sleep", "infinity")
    # No scan was made since: the command asks for one.
    first = ("agent", "register", name, "work:0.0", "--role", "slave", "--label", "reviewer")
    assert "created_or_reactivated=created" in agenttower(*first).lines
    assert "created_or_reactivated=updated" in agenttower(*first).lines
    second = ("agent", "register", name, "%1", "--role", "swarm", "--parent", "reviewer")
    child = json.loads(agenttower(*second, "--json").out)["result"]
    assert child["parent_agent_id"] is not None

    table = [line.split("\t") for line in agenttower("pane", "all", "--active-only").lines]
    assert [row[-1] for row in table] == ["ORIGIN", "adopted", "adopted"]
    refused = agenttower("agent", "set", "reviewer", "--role", "master", code=3)
    assert "code: master_confirm_required" in refused.err
    agenttower("agent", "set", "reviewer", "--role", "master", "--confirm", "--capability", "codex")
    shown = agenttower("agent", "show", "reviewer").lines
    assert {"role=master", "capability=codex", "origin=adopted"} <= set(shown)
    assert agenttower("pane", "remove", child["agent_id"], code=3).err.endswith(
        "code: managed_pane_protected_adopted\n"
    )
    # The worker's own session may be there already, to look at the agents' screens.
    held = tmux(bench, "list-panes", "-a", "-F", "#{session_name}").splitlines()
    assert held.count("work") == 2

    # Whoever waits for his turn gets a scan of his own.
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: tower.result("scan_panes"), range(8)))
    assert len({scan["scan_id"] for scan in done}) == 8
    assert {scan["status"] for scan in done} == {"ok"}
