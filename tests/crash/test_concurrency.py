"""Two of what there should be one of, and many at once."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import Any

import pytest
from docker.models.containers import Container

from tests.integration.test_marker_sweep import LONG_AGO_US, sweep
from tests.support.docker import BenchFactory
from tests.support.freezer import frozen
from tests.support.layouts import (
    bench_with_logs,
    create,
    settled,
    tmux,
    write_template,
)
from tests.support.tower import ROLES, Tower
from tests.support.waiting import wait_until
from tests.torture.panes import disagreements
from tests.torture.rows import CAPACITY, Rows
from tests.torture.story import Story

AGE_OPERATIONS = (
    "UPDATE operation SET started_at = started_at - :long, resumed_at = resumed_at - :long"
    " WHERE state = 'running'"
)
END_LEASES = "UPDATE step SET lease_until = lease_until - :long WHERE status = 'running'"


def at_rest(story: Story, deadline_s: float = 30.0) -> Rows:
    """The rows once nothing is under way; sound at every look until then."""

    def look() -> Rows | None:
        rows, wrong = story.read()
        assert wrong == []
        return rows if rows.at_rest and story.relayed else None

    rows = wait_until(look, deadline_s, "nothing to be under way")
    assert rows is not None
    return rows


@pytest.fixture
def story(tower: Tower) -> Story:
    return Story(tower.home.paths.state_dir)


@pytest.mark.parametrize("role", ROLES)
def test_a_second_of_a_kind_is_refused(
    tower: Tower, bench_factory: BenchFactory, story: Story, role: str
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    done = subprocess.run(
        [sys.executable, "-m", "agenttower.cli.main", role],
        env=tower.environ,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 2, done
    assert f"pid {tower.processes[role].pid}" in done.stdout + done.stderr
    # The first one has not noticed.
    assert settled(tower, create(tower, bench)["layout_id"])["state"] == "ready"
    assert disagreements(at_rest(story), bench) == []


@pytest.mark.parametrize("role", ROLES)
def test_of_many_started_at_once_one_lives(
    tower: Tower, bench_factory: BenchFactory, story: Story, role: str
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    tower.kill9(role)
    rivals = [
        subprocess.Popen(
            [sys.executable, "-m", "agenttower.cli.main", role],
            env=tower.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(4)
    ]
    try:
        wait_until(
            lambda: sum(rival.poll() is not None for rival in rivals) == 3, 20, "three to give up"
        )
        assert sorted(rival.poll() or 0 for rival in rivals) == [0, 2, 2, 2]
        wait_until(lambda: _answers(tower), 20, "the one that lives to answer")
        assert settled(tower, create(tower, bench)["layout_id"])["state"] == "ready"
        assert disagreements(at_rest(story), bench) == []
    finally:
        for rival in rivals:
            rival.terminate()
            rival.wait(20)


def _answers(tower: Tower) -> bool:
    try:
        return bool(tower.result("status")["worker"]["alive"])
    except (OSError, ValueError):
        return False


def test_forty_clients_create_at_once(
    tower: Tower, bench_factory: BenchFactory, story: Story
) -> None:
    """More than forty in fact: FR-025's count and insert are one transaction."""
    write_template(tower, "one", [{}])
    images = ("bookworm", "trixie")
    benches = [bench_with_logs(tower, bench_factory, image=images[n % 2]) for n in range(4)]
    start = threading.Barrier(CAPACITY + 4)

    def ask(number: int) -> dict[str, Any]:
        params = {
            "container_id": benches[number % 4].id,
            "template_name": "one",
            "tmux_session_name": f"s{number}",
            "label_prefix": f"l{number}-",
        }
        start.wait(30)
        return tower.call("managed.layout.create", params, timeout_s=60)

    with ThreadPoolExecutor(CAPACITY + 4) as pool:
        replies = list(pool.map(ask, range(CAPACITY + 4)))
    codes = Counter("" if reply["ok"] else reply["error"]["code"] for reply in replies)
    assert codes == {"": CAPACITY, "managed_layout_capacity_exceeded": 4}
    rows = at_rest(story, 60)
    assert Counter(layout["state"] for layout in rows.layouts) == {"ready": CAPACITY}
    for bench in benches:
        assert disagreements(rows, bench) == []
    assert first_claims(tower) == sorted(first_claims(tower)), "FR-019: in the order of acceptance"


def first_claims(tower: Tower) -> list[tuple[str, int, int]]:
    """Lane, place in it, and when each creation began; sorted by lane and beginning."""
    with closing(sqlite3.connect(tower.home.paths.database, timeout=10)) as database:
        return database.execute(
            "SELECT lane, id, started_at FROM operation ORDER BY lane, started_at"
        ).fetchall()


def test_recreate_and_remove_race_on_one_pane(
    tower: Tower, bench_factory: BenchFactory, story: Story
) -> None:
    """Of a failed pane both are legal; whoever is first, one living pane stands in the slot."""
    write_template(tower, "one", [{}])
    bench = bench_with_logs(tower, bench_factory)
    layout_id = create(tower, bench, "one")["layout_id"]
    settled(tower, layout_id)
    allowed = {
        "managed_pane_concurrent_recreate",
        "managed_pane_illegal_recreate_source",
        "managed_pane_illegal_transition",
    }
    for _ in range(6):
        pane = at_rest(story).current(layout_id)[0]
        tmux(bench, "kill-pane", "-t", pane["tmux_pane_id"])
        wait_until(lambda: settled(tower, layout_id)["state"] == "failed", 20, "the pane to fail")
        replies = at_once(
            *[partial(remove, tower, pane["pane_id"])] * 3,
            *[partial(recreate, tower, pane["pane_id"])] * 3,
        )
        refused = {reply["error"]["code"] for reply in replies if not reply["ok"]}
        assert refused <= allowed, replies
        assert sum(reply["ok"] for reply in replies[3:]) == 1, replies
        assert all(reply["ok"] for reply in replies[:3]), replies
        rows = at_rest(story)
        assert [pane["state"] for pane in rows.current(layout_id)] == ["ready"]
        assert disagreements(rows, bench) == []


def test_remove_races_recreate_of_its_successor(
    tower: Tower, bench_factory: BenchFactory, story: Story
) -> None:
    """A pane is recreated in the instant in which it is removed: before that it is no source."""
    write_template(tower, "one", [{}])
    bench = bench_with_logs(tower, bench_factory)
    layout_id = create(tower, bench, "one")["layout_id"]
    for _ in range(4):
        settled(tower, layout_id)
        old = at_rest(story).current(layout_id)[0]["pane_id"]

        replies = at_once(partial(remove, tower, old), partial(insist_on_recreate, tower, old))
        assert all(reply["ok"] for reply in replies), replies
        rows = at_rest(story)
        assert [pane["state"] for pane in rows.current(layout_id)] == ["ready"]
        assert disagreements(rows, bench) == []


def remove(tower: Tower, pane_id: str) -> dict[str, Any]:
    return tower.call("managed.pane.remove", {"pane_id": pane_id})


def insist_on_recreate(tower: Tower, pane_id: str) -> dict[str, Any]:
    """Ask until there is a successor."""

    def ask() -> dict[str, Any]:
        reply = recreate(tower, pane_id)
        return reply if reply["ok"] else {}

    return wait_until(ask, 20, "a successor")


def recreate(tower: Tower, pane_id: str) -> dict[str, Any]:
    return tower.call("managed.pane.recreate", {"predecessor_pane_id": pane_id})


def at_once(*calls: Callable[[], dict[str, Any]]) -> list[dict[str, Any]]:
    """Make the calls in threads that start together; their replies in the same order."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        start.wait(10)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_the_sweep_leaves_a_slow_step_alone(
    tower: Tower, bench_factory: BenchFactory, story: Story
) -> None:
    """Creating for longer than five minutes, but somebody works on it under a live lease."""
    bench, layout_id = accepted(tower, bench_factory)
    with frozen(bench):
        let_worker_claim(tower)
        alter(tower, AGE_OPERATIONS)
        assert sweep(tower) == 0
    assert settled(tower, layout_id)["state"] == "ready"
    assert disagreements(at_rest(story), bench) == []


def test_a_step_slower_than_its_lease_loses_to_the_sweep(
    tower: Tower, bench_factory: BenchFactory, story: Story
) -> None:
    """Its pane is given up; what it makes after that must not stand in the slot."""
    bench, layout_id = accepted(tower, bench_factory)
    with frozen(bench):
        let_worker_claim(tower)
        alter(tower, AGE_OPERATIONS)
        alter(tower, END_LEASES)
        assert sweep(tower) == 1
    rows = at_rest(story)
    [pane] = rows.current(layout_id)
    assert (pane["state"], pane["failed_stage"]) == ("failed", "pane_create")
    wait_until(lambda: disagreements(rows, bench) == [], 20, "the overtaken step to clean up")
    assert recreate(tower, pane["pane_id"])["ok"]
    assert settled(tower, layout_id)["state"] == "ready"
    assert disagreements(at_rest(story), bench) == []


def accepted(tower: Tower, bench_factory: BenchFactory) -> tuple[Container, str]:
    """A bench, and a layout on it that the worker has not heard of: it stands still.

    The channel to the bench is open, so that a step can wait in it.
    """
    write_template(tower, "one", [{}])
    bench = bench_with_logs(tower, bench_factory)
    settled(tower, create(tower, bench, "one", session="first", label_prefix="first-")["layout_id"])
    tower.processes["worker"].send_signal(signal.SIGSTOP)
    return bench, str(create(tower, bench, "one")["layout_id"])


def let_worker_claim(tower: Tower) -> None:
    """Let the worker go on, and return once it holds a step."""
    tower.processes["worker"].send_signal(signal.SIGCONT)
    wait_until(lambda: tower.result("status")["steps"]["running"], 10, "a step to be claimed")


def alter(tower: Tower, statement: str) -> None:
    """Move times in the rows into the past by ``:long`` microseconds, instead of waiting."""
    with closing(sqlite3.connect(tower.home.paths.database, timeout=10)) as database, database:
        database.execute(statement, {"long": LONG_AGO_US})
