"""The marker sweep (FR-022) on rows of a real creation, with the clock moved instead of waiting."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from agenttower import bootstrap, clock
from agenttower.services.managed.sweep import MarkerSweep
from agenttower.settings import Settings
from tests.support.docker import BenchFactory
from tests.support.freezer import frozen
from tests.support.layouts import (
    bench_with_logs,
    create,
    events_of,
    our_panes,
    settled,
    write_template,
)
from tests.support.tower import Tower
from tests.support.waiting import wait_until

LONG_AGO_US = 301 * 1_000_000


def age_operations(tower: Tower, by_us: int) -> None:
    """Let every unfinished operation have begun that much earlier."""
    with closing(sqlite3.connect(tower.home.paths.database, timeout=10)) as database, database:
        database.execute(
            "UPDATE operation SET started_at = started_at - ?, resumed_at = resumed_at - ?"
            " WHERE state = 'running'",
            (by_us, by_us),
        )
        # Steps that nobody would ever run again, as if the queue had lost them for good.
        database.execute(
            "UPDATE step SET not_before = created_at + 86400000000 WHERE status = 'pending'"
        )
        database.execute("DELETE FROM queue_message WHERE step_id IS NOT NULL")


def sweep(tower: Tower) -> int:
    """What the worker does every minute, done here and now."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", tower.environ["DOCKER_HOST"])
        with bootstrap.open_core(Settings(tower.home.paths), "worker") as core:
            return MarkerSweep(
                core.store,
                core.engine,
                core.benches,
                clock.now,
                core.wake_readers,
                witness_s=0.0,
            ).run()


def test_what_a_stopped_worker_left_is_resumed_however_old(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    with frozen(bench):
        write_template(tower, "one", [{}])
        tower.stop("worker")
        tower.start("worker", environ={"AGENTTOWER_CRASH_AT": "pane_create.claimed"})
    layout_id = create(tower, bench, "one")["layout_id"]
    tower.wait_killed("worker")
    with closing(sqlite3.connect(tower.home.paths.database, timeout=10)) as database, database:
        database.execute("UPDATE operation SET started_at = started_at - ?", (LONG_AGO_US,))
        database.execute("UPDATE managed_pane SET created_at = created_at - ?", (LONG_AGO_US,))
    tower.start("worker")
    assert settled(tower, layout_id)["state"] == "ready"


def test_stuck_panes_fail_with_the_stage_that_fits(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    write_template(tower, "two", [{}, {}])
    tower.stop("worker")
    tower.start("worker", environ={"AGENTTOWER_CRASH_AT": "pane_create.settled"})
    layout_id = create(tower, bench, "two")["layout_id"]
    tower.wait_killed("worker")
    # The first pane stands in tmux and is not registered; the second was never made.
    age_operations(tower, LONG_AGO_US)
    assert sweep(tower) == 2
    assert sweep(tower) == 0
    detail = settled(tower, layout_id)
    stages = [(pane["state"], pane["failed_stage"]) for pane in detail["panes"]]
    assert stages == [("failed", "registration"), ("failed", "pane_create")]
    assert (detail["state"], detail["failed_stage"]) == ("failed", "registration")
    assert all("5 minutes" in pane["failure_reason"] for pane in detail["panes"])
    told = [event["event_type"] for event in events_of(tower, layout_id)]
    assert told.count("managed_pane_pending_marker_cleared") == 2
    tower.start("worker")
    wait_until(
        lambda: tower.result("status")["steps"] == {"pending": 0, "running": 0},
        10,
        "nothing to be left open",
    )
    assert [pane["title"] for pane in our_panes(bench)] == ["p1"], "the marker is off"
