"""Four-step chains that do nothing, on SQLite: ours, plain Huey's, and DBOS's.

Each function makes its database below ``directory``, runs ``chains`` chains on ``threads`` threads
of this process (DBOS's queue has its own), checks that all have ended, and says how long that took.
It is to be called in a process of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from huey import SqliteHuey
from huey.api import Huey
from huey.contrib.sql_huey import SqlHuey
from huey.storage import SqliteStorage
from peewee import SqliteDatabase

from agenttower import clock
from agenttower.engine.doorbell import Doorbell
from agenttower.engine.engine import Engine
from agenttower.engine.handler import Failure
from agenttower.store.database import Store, Transaction, open_sqlite
from agenttower.store.ledger import ClaimedStep, NewStep
from agenttower.store.migrate import migrate
from agenttower.store.models import Operation
from workers.queue import StepHuey

STEPS = ("one", "two", "three", "four")
DBOS_POLL_S = 0.02
OUR_PRAGMAS = {"journal_mode": "wal", "synchronous": "normal", "busy_timeout": 5000}


@dataclass(frozen=True, slots=True)
class Run:
    """What a number of chains took. Contenders that submit as they run have no ``submit_s``."""

    steps: int
    submit_s: float
    run_s: float
    cpu_s: float

    @property
    def drain_rate(self) -> float:
        """Steps a second once everything is queued."""
        return self.steps / self.run_s

    @property
    def full_rate(self) -> float:
        """Steps a second with the queueing of the chains counted in."""
        return self.steps / (self.submit_s + self.run_s)


class Tally:
    """Counts chains that have ended, for several threads."""

    def __init__(self, chains: int) -> None:
        self._missing = chains
        self._lock = threading.Lock()
        self.done = threading.Event()

    def add(self) -> None:
        with self._lock:
            self._missing -= 1
            if not self._missing:
                self.done.set()


class NextInLine:
    """Does nothing; the step after it follows in the settling transaction."""

    def __init__(self, following: str | None, tally: Tally) -> None:
        self._following = following
        self._tally = tally

    def perform(self, step: ClaimedStep, deadline: float) -> None:
        """No effect."""

    def succeeded(
        self, transaction: Transaction, step: ClaimedStep, result: None
    ) -> Sequence[NewStep]:
        if self._following is None:
            transaction.afterwards("tally", self._tally.add)
            return ()
        return [NewStep(self._following, step.subject_id)]

    def failed(
        self, transaction: Transaction, step: ClaimedStep, failure: Failure
    ) -> Sequence[NewStep]:
        raise AssertionError(failure)

    def overtaken(self, step: ClaimedStep, result: Any) -> None:
        raise AssertionError(step)


def ours(directory: Path, chains: int, threads: int) -> Run:
    """The engine on its own queue: an operation a chain, a lane a chain."""
    store = open_sqlite(directory / "ours.db")
    migrate(store)
    doorbell = Doorbell(directory / "bells")
    queue = StepHuey(store, clock.now, doorbell)
    engine = Engine(store, queue, clock.now)
    tally = Tally(chains)
    for name, following in zip(STEPS, (*STEPS[1:], None), strict=True):
        queue.add_stage(name, lambda step_id: engine.run(step_id, "benchmark"))
        engine.register({name: NextInLine(following, tally)})
    queue.storage.listen()

    def submit() -> None:
        for number in range(chains):
            _submit(store, engine, str(number))

    def work() -> None:
        while (task := queue.dequeue()) is not None:
            queue.execute(task)
        store.close_thread()

    found = _timed(chains, threads, submit, work, tally, queue.storage.stop)
    assert Operation.select().where(Operation.state == "succeeded").count() == chains
    return found


def _submit(store: Store, engine: Engine, subject: str) -> None:
    with store.transaction() as transaction:
        engine.submit(
            transaction, "chain", subject, in_line=True, subject_id=subject,
            requested_by="benchmark", steps=[NewStep(STEPS[0], subject)],
        )  # fmt: skip


def sqlite_huey(directory: Path, chains: int, threads: int) -> Run:
    """``SqliteHuey`` as it comes: WAL, and a sync of the disk at each commit."""
    return _plain_huey(
        SqliteHuey("chains", filename=str(directory / "huey.db"), results=False), chains, threads
    )


def sqlite_huey_relaxed(directory: Path, chains: int, threads: int) -> Run:
    """``SqliteHuey`` with our pragmas."""
    filename = str(directory / "huey.db")
    huey = Huey("chains", storage_class=_RelaxedStorage, filename=filename, results=False)
    return _plain_huey(huey, chains, threads)


def sql_huey_relaxed(directory: Path, chains: int, threads: int) -> Run:
    """``SqlHuey``, which ours is built on, with our pragmas."""
    database = SqliteDatabase(str(directory / "huey.db"), pragmas=OUR_PRAGMAS)
    return _plain_huey(SqlHuey("chains", database=database, results=False), chains, threads)


class _RelaxedStorage(SqliteStorage):  # type: ignore[misc]
    def _create_connection(self) -> Connection:
        connection: Connection = super()._create_connection()
        connection.execute("pragma synchronous=normal")
        return connection


def _plain_huey(huey: Huey, chains: int, threads: int) -> Run:
    """Tasks that enqueue the next; nothing but Huey's queue."""
    tally = Tally(chains)
    following: Any = None
    for name in reversed(STEPS):

        def step(number: int, following: Any = following) -> None:
            if following is None:
                tally.add()
            else:
                following(number)

        following = huey.task(name=name)(step)
    first = following

    def submit() -> None:
        for number in range(chains):
            first(number)

    def work() -> None:
        while not tally.done.is_set():
            task = huey.dequeue()
            if task is None:
                time.sleep(0.0005)  # Huey's own consumer would back off for up to 10 s here
            else:
                huey.execute(task)

    return _timed(chains, threads, submit, work, tally, lambda: None)


def dbos(directory: Path, chains: int, threads: int) -> Run:
    """DBOS as it comes (rollback journal, a sync of the disk at each commit), called directly."""
    return _dbos(directory, chains, threads, queued=False)


def dbos_relaxed(directory: Path, chains: int, threads: int) -> Run:
    """DBOS with our pragmas, called directly."""
    _relax_sqlalchemy()
    return _dbos(directory, chains, threads, queued=False)


def dbos_queued_relaxed(directory: Path, chains: int, threads: int) -> Run:
    """DBOS with our pragmas, through a queue."""
    _relax_sqlalchemy()
    return _dbos(directory, chains, threads, queued=True)


def _relax_sqlalchemy() -> None:
    import sqlalchemy

    @sqlalchemy.event.listens_for(sqlalchemy.engine.Engine, "connect")
    def relax(connection: Connection, _record: object) -> None:
        connection.execute("pragma journal_mode=wal")
        connection.execute("pragma synchronous=normal")


def _dbos(directory: Path, chains: int, threads: int, *, queued: bool) -> Run:
    """Workflows of four steps, and one before the clock starts, which waits for DBOS to be up."""
    from dbos import DBOS

    steps = [DBOS.step(name=name)(_no_effect) for name in STEPS]

    @DBOS.workflow()
    def chain(number: int) -> None:
        for step in steps:
            step(number)

    def directly() -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(chain, range(chains)))

    def through_queue() -> None:
        asked = [DBOS.enqueue_workflow("chains", chain, number) for number in range(chains)]
        for handle in asked:
            handle.get_result(polling_interval_sec=DBOS_POLL_S)

    url = f"sqlite:///{directory}/dbos.db"
    DBOS(config={"name": "chains", "system_database_url": url, "log_level": "ERROR"})
    DBOS.launch()
    try:
        if queued:
            DBOS.register_queue("chains", polling_interval_sec=DBOS_POLL_S)
            DBOS.enqueue_workflow("chains", chain, -1).get_result()
        else:
            chain(-1)
        start, cpu = time.perf_counter(), time.process_time()
        through_queue() if queued else directly()
        seconds, cpu_s = time.perf_counter() - start, time.process_time() - cpu
        assert len(DBOS.list_workflows(status="SUCCESS", limit=chains + 2)) == chains + 1
    finally:
        DBOS.destroy()
    return Run(len(STEPS) * chains, 0.0, seconds, cpu_s)


def _no_effect(number: int) -> None:
    """What every step does."""


def _timed(
    chains: int,
    threads: int,
    submit: Callable[[], None],
    work: Callable[[], None],
    tally: Tally,
    stop: Callable[[], None],
) -> Run:
    """Submit everything, then let the threads work until the last chain has ended."""
    cpu, start = time.process_time(), time.perf_counter()
    submit()
    submitted = time.perf_counter()
    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    tally.done.wait()
    done, cpu_s = time.perf_counter(), time.process_time() - cpu
    stop()
    for worker in workers:
        worker.join()
    return Run(len(STEPS) * chains, submitted - start, done - submitted, cpu_s)
