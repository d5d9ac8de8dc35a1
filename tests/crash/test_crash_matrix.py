"""kill -9 at every named point of every operation ends as if it had not happened.

The process dies at the point and is started again; while it is dead, the rows, the events and
``events.jsonl`` must be sound, and what stands in the end must equal a run without a crash: same
states, one tmux pane a slot, one agent a pane, every event once and in order, and
``events.jsonl`` equal to the outbox.

A test kills at every moment of one stage, one after the other: each life must come by itself as
far as the next point. The towers are shared; every operation has a layout of its own.
"""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest
from docker.models.containers import Container

from tests.crash.matrix import (
    MOMENTS,
    QUEUE_POINTS,
    RESTART_POINTS,
    SERVE_POINTS,
    STAGES,
    covered,
    points_in_source,
)
from tests.crash.operations import OPERATIONS, Case, cases
from tests.crash.outcome import Outcome, outcome, stages_passed
from tests.support import module_tower
from tests.support.docker import BenchFactory
from tests.support.layouts import bench_with_logs, settled
from tests.support.tower import Tower
from tests.support.waiting import wait_until
from tests.torture.panes import disagreements
from tests.torture.story import Story

ARMED = "AGENTTOWER_CRASH_AT"
ANSWER_S = 20.0
"""A ring that died with its process may cost the safety net's 5 s, not the whole wait of M6."""


state_home, bench_factory, tower = (
    module_tower.state_home,
    module_tower.bench_factory,
    module_tower.tower,
)


@pytest.fixture(scope="module")
def bench(tower: Tower, bench_factory: BenchFactory) -> Container:
    return bench_with_logs(tower, bench_factory)


@pytest.fixture(scope="module")
def story(tower: Tower) -> Story:
    return Story(tower.home.paths.state_dir)


@pytest.fixture(scope="module")
def fresh(tower: Tower, bench: Container) -> Iterator[Case]:
    """Layouts that have not been yet."""
    return cases(tower, bench)


@pytest.fixture
def both_alive(tower: Tower) -> None:
    """Whatever an earlier test left, this one begins with two processes that nobody will kill."""
    for role in ("serve", "worker"):
        tower.stop(role)
        tower.start(role)


@pytest.fixture(scope="module")
def undisturbed(fresh: Iterator[Case], story: Story) -> Callable[[str], Outcome]:
    """The outcome of each operation without a crash, found out when first asked for."""
    known: dict[str, Outcome] = {}

    def expected(name: str) -> Outcome:
        if name not in known:
            operation = OPERATIONS[name]
            case = operation.prepare(next(fresh))
            operation.ask(case)
            known[name] = outcome_of(case, story)
            subjects = [case.layout_id, *(pane["pane_id"] for pane in case.panes)]
            subjects += successors(case)
            assert stages_passed(case.tower, operation.kind, subjects) == set(STAGES[name])
        return known[name]

    return expected


def successors(case: Case) -> list[str]:
    panes = case.tower.result("managed.pane.list", {"layout_id": case.layout_id})["items"]
    return [pane["pane_id"] for pane in panes]


def outcome_of(case: Case, story: Story) -> Outcome:
    """What a case came to, once nothing is under way and every event stands in the file."""

    def calm() -> bool:
        rows, wrong = story.read()
        assert not wrong
        return rows.at_rest and story.relayed

    settled(case.tower, case.layout_id)
    # A layout is settled before the title of a pane that failed is reset.
    wait_until(calm, 20, "the operation to be over and told")
    rows, _ = story.read()
    assert disagreements(rows, case.bench) == []
    return outcome(case.tower, case.bench, case.layout_id, case.prefix)


@contextmanager
def asking(ask: Callable[[Case], None], case: Case) -> Iterator[None]:
    """A client that asks meanwhile, and has its answer in the end."""
    with ThreadPoolExecutor(1) as client:
        answer: Future[None] = client.submit(ask, case)
        yield
        answer.result(ANSWER_S)


def start_to_die(tower: Tower, role: str, point: str) -> None:
    """Start a process that may be dead before it is ready."""
    with suppress(AssertionError):
        tower.start(role, environ={ARMED: point})


def test_the_matrix_covers_every_point_in_the_source() -> None:
    assert covered() == points_in_source()


WORKER_CHAINS = {
    **{
        f"{name}-{stage}": (name, [f"{stage}.{moment}" for moment in MOMENTS])
        for name, stages in STAGES.items()
        for stage in stages
    },
    "restart-recreation": ("restart", list(RESTART_POINTS)),
    **{f"{name}-queue": (name, [f"{STAGES[name][0]}.claimed", *QUEUE_POINTS]) for name in STAGES},
}


@pytest.mark.usefixtures("both_alive")
@pytest.mark.parametrize(("name", "points"), WORKER_CHAINS.values(), ids=WORKER_CHAINS.keys())
def test_worker_killed(
    tower: Tower,
    fresh: Iterator[Case],
    story: Story,
    undisturbed: Callable[[str], Outcome],
    name: str,
    points: list[str],
) -> None:
    expected = undisturbed(name)
    operation = OPERATIONS[name]
    case = operation.prepare(next(fresh))
    tower.stop("worker")
    start_to_die(tower, "worker", points[0])
    with asking(operation.ask, case):
        for following in (*points[1:], None):
            tower.wait_killed("worker")
            assert story.read()[1] == [], "with the worker dead"
            if following is None:
                tower.start("worker")
            else:
                start_to_die(tower, "worker", following)
    assert outcome_of(case, story) == expected


@pytest.mark.usefixtures("both_alive")
@pytest.mark.parametrize(
    ("name", "point"), [(name, point) for name, points in SERVE_POINTS.items() for point in points]
)
def test_serve_killed(
    tower: Tower,
    fresh: Iterator[Case],
    story: Story,
    undisturbed: Callable[[str], Outcome],
    name: str,
    point: str,
) -> None:
    """The client got no answer, asks again with its key, and has one layout or successor."""
    expected = undisturbed(name)
    operation = OPERATIONS[name]
    case = operation.prepare(next(fresh))
    tower.stop("serve")
    tower.start("serve", environ={ARMED: point})
    with ExitStack() as hold:
        hold.enter_context(held(tower, "worker"))
        with asking(operation.ask, case):
            tower.wait_killed("serve")
            assert story.read()[1] == [], "with serve dead"
            tower.start("serve")
            hold.close()  # a removal is answered when it is done
    assert outcome_of(case, story) == expected


@pytest.mark.usefixtures("both_alive")
@pytest.mark.parametrize("name", ["remove_pane", "remove_layout"])
def test_serve_killed_while_a_client_waits_for_a_removal(
    tower: Tower,
    fresh: Iterator[Case],
    story: Story,
    undisturbed: Callable[[str], Outcome],
    name: str,
) -> None:
    expected = undisturbed(name)
    operation = OPERATIONS[name]
    case = operation.prepare(next(fresh))
    with asking(operation.ask, case):
        with held(tower, "worker"):
            wait_until(lambda: not story.read()[0].at_rest, 10, "the removal to be ordered")
            tower.kill9("serve")
            assert story.read()[1] == [], "with serve dead"
        tower.start("serve")
    assert outcome_of(case, story) == expected


@contextmanager
def held(tower: Tower, role: str) -> Iterator[None]:
    """The process stands still inside the context, so that nothing is done meanwhile. It does not
    hold the database then, which others must be able to write."""
    process = tower.processes[role]

    def stopped_between_writes() -> bool:
        process.send_signal(signal.SIGSTOP)
        if _is_free(tower.home.paths.database):
            return True
        process.send_signal(signal.SIGCONT)
        return False

    try:
        wait_until(stopped_between_writes, 20, f"{role} to stand still between two writes")
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def _is_free(database: Path) -> bool:
    with closing(sqlite3.connect(database, timeout=0.2, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return False
    return True
