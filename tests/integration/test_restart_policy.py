"""Profiles that ask for restarts (additive), in real containers."""

from __future__ import annotations

from typing import Any

from tests.support.docker import BenchFactory
from tests.support.layouts import (
    bench_with_logs,
    create,
    events_of,
    our_panes,
    write_profile,
    write_template,
)
from tests.support.tower import Tower
from tests.support.waiting import wait_until


def newest(tower: Tower, layout_id: str) -> dict[str, Any]:
    [pane] = [
        pane
        for pane in tower.result("managed.layout.detail", {"layout_id": layout_id})["panes"]
        if pane["state"] != "removed"
    ] or [{"state": "between", "chain_depth": -1, "restart": None}]
    return dict(pane)


def test_a_failed_program_is_started_again_and_recovers(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    write_profile(
        tower,
        "flaky",
        ["/bin/sh", "-c", "[ -e /tmp/ok ] && exec sleep 600; touch /tmp/ok; exit 5"],
        restart={"policy": "on-failure", "backoff": 0.2},
    )
    write_template(tower, "one", [{"default_launch_command_ref": "flaky"}])
    layout_id = create(tower, bench, "one")["layout_id"]
    wait_until(
        lambda: newest(tower, layout_id)["state"] == "ready", 20, "the second try to be ready"
    )
    pane = newest(tower, layout_id)
    assert pane["chain_depth"] == 1
    assert len(our_panes(bench)) == 1
    told = [event["event_type"] for event in events_of(tower, layout_id)]
    assert told.count("managed_pane_restart_scheduled") == 1
    assert told.count("managed_pane_recreated") == 1
    detail = tower.result("managed.layout.detail", {"layout_id": layout_id})
    assert detail["state"] == "ready"


def test_repeated_identical_failures_are_braked(tower: Tower, bench_factory: BenchFactory) -> None:
    bench = bench_with_logs(tower, bench_factory)
    write_profile(
        tower,
        "hopeless",
        ["/bin/sh", "-c", "exit 4"],
        restart={"policy": "on-failure", "backoff": 0.1, "max": 9},
    )
    write_template(tower, "one", [{"default_launch_command_ref": "hopeless"}])
    layout_id = create(tower, bench, "one")["layout_id"]

    def stopped() -> str | None:
        restart = newest(tower, layout_id)["restart"]
        return restart.get("stopped") if restart else None

    reason = wait_until(stopped, 30, "the brake")
    assert "3 times in a row with exit code 4" in str(reason)
    pane = newest(tower, layout_id)
    assert (pane["state"], pane["chain_depth"], pane["exit_code"]) == ("degraded", 2, 4)
    told = [event["event_type"] for event in events_of(tower, layout_id)]
    assert told.count("managed_pane_restart_scheduled") == 2
    assert told.count("managed_pane_restart_stopped") == 1


def test_without_the_policy_nothing_is_started_again(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    write_profile(tower, "ends", ["/bin/sh", "-c", "exit 4"])
    write_template(tower, "one", [{"default_launch_command_ref": "ends"}])
    layout_id = create(tower, bench, "one")["layout_id"]
    wait_until(lambda: newest(tower, layout_id)["state"] == "degraded", 20, "the end to be known")
    assert newest(tower, layout_id)["restart"] is None
    assert tower.result("status")["steps"] == {"pending": 0, "running": 0}


def test_a_restart_survives_a_killed_worker(tower: Tower, bench_factory: BenchFactory) -> None:
    bench = bench_with_logs(tower, bench_factory)
    write_profile(
        tower,
        "flaky",
        ["/bin/sh", "-c", "[ -e /tmp/ok ] && exec sleep 600; touch /tmp/ok; exit 5"],
        restart="on-failure",
    )
    write_template(tower, "one", [{"default_launch_command_ref": "flaky"}])
    tower.stop("worker")
    tower.start("worker", environ={"AGENTTOWER_CRASH_AT": "restart_recreate.effect_done"})
    layout_id = create(tower, bench, "one")["layout_id"]
    tower.wait_killed("worker")
    tower.start("worker")
    wait_until(
        lambda: newest(tower, layout_id)["state"] == "ready", 20, "the second try to be ready"
    )
    assert len(our_panes(bench)) == 1
    assert newest(tower, layout_id)["chain_depth"] == 1
