"""From a commit in one process to the step being claimed in another that was idle."""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from huey import SqliteHuey
from huey.consumer import Consumer

from agenttower import clock
from agenttower.engine.doorbell import Doorbell
from agenttower.engine.engine import Engine
from agenttower.store.database import Transaction, open_sqlite
from agenttower.store.ledger import ClaimedStep, NewStep
from agenttower.store.migrate import migrate
from benchmarks.report import Aim, Measure, Ratio, Section
from benchmarks.scope import Scope
from workers.consumer import StepConsumer, stop_on_signals
from workers.queue import StepHuey

STAGE = "woken"
THREADS = 8
IDLE_S = 0.05
HUEY_IDLE_S = 3.0
STOP_S = 20.0


def run(scope: Scope) -> Section:
    """Ours, and Huey's own consumer as it comes."""
    ours = Measure(
        "AgentTower", "ms", _measure(_our_worker, _our_commits, scope.count(200, 30), IDLE_S),
        [Aim("median", 3), Aim("p99", 20)], f"commit to claimed, idle for {IDLE_S:g} s before",
    )  # fmt: skip
    measures, ratios = [ours], []
    if not scope.quick:
        huey = Measure(
            "SqliteHuey's consumer, as shipped", "ms",
            _measure(_huey_worker, _huey_commits, 8, HUEY_IDLE_S),
            note=f"commit to start, idle for {HUEY_IDLE_S:g} s before; it polls",
        )  # fmt: skip
        measures.append(huey)
        ratios.append(Ratio("Huey / ours", huey.summary.median / ours.summary.median))
    return Section("Waking an idle worker in another process", measures, ratios)


Worker = Callable[[Path, Connection], None]
Commits = Callable[[Path], Callable[[], int]]
"""Opens a database; what it returns commits one task and returns the time of the commit."""


def _measure(worker: Worker, commits: Commits, count: int, idle_s: float) -> list[float]:
    """Milliseconds by the one monotonic clock of the machine."""
    with TemporaryDirectory() as folder:
        commit = commits(Path(folder))
        with _running(worker, Path(folder)) as told:
            found = []
            for _ in range(count):
                time.sleep(idle_s)
                committed = commit()
                assert told.poll(30), "the worker did not wake up"
                found.append((told.recv() - committed) / 1e6)
            return found


@contextmanager
def _running(worker: Worker, directory: Path) -> Iterator[Connection]:
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe(duplex=False)
    process = spawn.Process(target=worker, args=(directory, theirs))
    process.start()
    try:
        assert ours.poll(30), "the worker did not start"
        ours.recv()
        yield ours
    finally:
        process.terminate()
        process.join(STOP_S)
        process.kill()
        process.join()
        ours.close()
        theirs.close()


class _TellWhen:
    """Says when a step has been claimed."""

    def __init__(self, told: Connection) -> None:
        self._told = told

    def perform(self, step: ClaimedStep, deadline: float) -> None:
        self._told.send(time.monotonic_ns())

    def succeeded(self, transaction: Transaction, step: ClaimedStep, result: Any) -> Sequence[Any]:
        return ()

    def failed(self, transaction: Transaction, step: ClaimedStep, failure: Any) -> Sequence[Any]:
        raise AssertionError(failure)

    def overtaken(self, step: ClaimedStep, result: Any) -> None:
        raise AssertionError(step)


def _our_parts(directory: Path) -> tuple[StepHuey, Engine, Callable[[], int]]:
    store = open_sqlite(directory / "ours.db")
    migrate(store)
    queue = StepHuey(store, clock.now, Doorbell(directory / "bells"))
    engine = Engine(store, queue, clock.now)
    queue.add_stage(STAGE, lambda step_id: engine.run(step_id, "benchmark"))
    numbers = iter(range(1_000_000))

    def commit() -> int:
        subject, committed = str(next(numbers)), [0]
        with store.transaction() as transaction:
            # Asked for first, so run first: between the commit and the ring.
            transaction.afterwards("time", lambda: committed.__setitem__(0, time.monotonic_ns()))
            engine.submit(
                transaction, "woken", subject, in_line=True, subject_id=subject,
                requested_by="benchmark", steps=[NewStep(STAGE, subject)],
            )  # fmt: skip
        return committed[0]

    return queue, engine, commit


def _our_commits(directory: Path) -> Callable[[], int]:
    return _our_parts(directory)[2]


def _our_worker(directory: Path, told: Connection) -> None:
    logging.disable(logging.WARNING)
    queue, engine, _ = _our_parts(directory)
    engine.register({STAGE: _TellWhen(told)})
    stopping = stop_on_signals()
    told.send(0)
    StepConsumer(queue, THREADS, stopping).run()


def _huey(directory: Path, told: Connection | None) -> tuple[SqliteHuey, Any]:
    huey = SqliteHuey("woken", filename=str(directory / "huey.db"), results=False)

    def woken() -> None:
        assert told is not None
        told.send(time.monotonic_ns())

    return huey, huey.task(name=STAGE)(woken)


def _huey_commits(directory: Path) -> Callable[[], int]:
    _, woken = _huey(directory, None)

    def commit() -> int:
        woken()
        return time.monotonic_ns()

    return commit


def _huey_worker(directory: Path, told: Connection) -> None:
    logging.disable(logging.WARNING)
    huey, _ = _huey(directory, told)
    told.send(0)
    Consumer(huey, workers=THREADS).run()
