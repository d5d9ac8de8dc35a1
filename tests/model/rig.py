"""The product, wired as it wires itself, over the fake bench; its processes can die."""

from __future__ import annotations

import logging
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from unittest.mock import patch

from peewee import OperationalError

from agenttower import bootstrap, clock
from agenttower.bench.registry import Benches
from agenttower.bootstrap import Core
from agenttower.engine import presence
from agenttower.engine.doorbell import Doorbell
from agenttower.engine.engine import Engine
from agenttower.engine.outbox import Relay
from agenttower.errors import AgentTowerError, BenchError
from agenttower.paths import Paths
from agenttower.services.managed.sweep import MarkerSweep
from agenttower.settings import Config, Settings
from agenttower.store import database
from agenttower.store.database import DatabaseBusy, Store, Transaction, open_sqlite
from agenttower.store.migrate import migrate
from agenttower.store.models import Worker
from tests.model.fake_bench import FakeContainer, FakeProvider, World
from tests.model.fake_time import FakeTime, installed
from workers.queue import open_queue

GLANCE_S = 10.0
FLAKY = """\
name: flaky
command: [flaky]
restart: {policy: on-failure, max: 3, backoff: 1}
"""

T = TypeVar("T")


class Killed(BaseException):
    """The process is gone. Nothing of the product catches it, as nothing catches SIGKILL."""


class ModelStore(Store):
    """The real store; transactions can be refused, and each commit is looked at."""

    def __init__(self, store: Store, committed: Callable[[], None]) -> None:
        super().__init__(store.database)
        self._look = committed
        self.locked = 0
        """How many of the next transactions find the database locked."""
        self.full = 0
        """How many of the next transactions cannot be committed, as on a full disk."""

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        if self.locked:
            self.locked -= 1
            raise DatabaseBusy
        with super().transaction() as transaction:
            transaction.afterwards("look", self._look)
            yield transaction
            if self.full:
                self.full -= 1
                raise OperationalError("database or disk is full")

    def inside(self) -> bool:
        """Whether a transaction is under way."""
        return bool(self.database.in_transaction())


@dataclass
class WorkerProcess:
    """A worker: its row, its engine, its handles on the benches, its relay."""

    worker_id: str
    core: Core
    relay: Relay
    sweep: MarkerSweep

    @property
    def engine(self) -> Engine:
        return self.core.engine


class Rig:
    """One state directory, a front end, and workers one after the other.

    :param committed: called after every commit, before anything that follows from it.
    :param passage: called at every crash point and around every effect in a bench.
    """

    def __init__(
        self,
        containers: list[FakeContainer],
        *,
        committed: Callable[[], None],
        passage: Callable[[str], None],
    ) -> None:
        with ExitStack() as stack:
            paths = self._make_home(stack)
            self.settings = Settings(paths, Config())
            self.time = FakeTime()
            self.world = World(self.time, paths.logs_dir, containers)
            self._passage = passage
            self.world.passage = self._pass
            stack.enter_context(installed(self.time, self._pass))
            logging.disable(logging.CRITICAL)
            stack.callback(logging.disable, logging.NOTSET)
            stack.enter_context(patch.object(database, "FULL_PAUSE_S", 0))
            plain = open_sqlite(paths.database)
            stack.callback(plain.close_thread)
            plain.execute("PRAGMA synchronous = off")
            migrate(plain)
            self.store = ModelStore(plain, committed)
            self._doorbell = Doorbell(paths.bells_dir)
            stack.callback(self._doorbell.close)
            self.queue = open_queue(
                self.store, clock.now, self._doorbell, bootstrap.STAGES, self._run_step
            )
            self.running: WorkerProcess | None = None
            self._owner = ""
            self._front_end = self._core("serve")
            stack.callback(self._front_end.benches.close)
            self.tower = bootstrap.tower(self._front_end)
            self.recovery = bootstrap.reconciler(self._front_end)
            self._discovery = bootstrap.container_service(self._front_end)
            self.tower.scan_containers()
            self._stack = stack.pop_all()

    @staticmethod
    def _make_home(stack: ExitStack) -> Paths:
        root = Path(tempfile.mkdtemp(prefix="at-model-"))
        stack.callback(shutil.rmtree, root)
        paths = Paths(root / "config", root / "state", root / "cache")
        for directory in (paths.config_dir, paths.state_dir, paths.logs_dir):
            directory.mkdir(mode=0o700)
        paths.profiles_dir.mkdir(mode=0o700)
        (paths.profiles_dir / "flaky.yaml").write_text(FLAKY, encoding="utf-8")
        return paths

    def _core(self, role: str) -> Core:
        return Core(
            self.settings,
            self.store,
            self._doorbell,
            self.queue,
            Engine(self.store, self.queue, clock.now),
            Benches([FakeProvider(self.world)], role, "model"),
        )

    def _pass(self, name: str) -> None:
        if name.endswith((".before", ".after")):
            assert not self.store.inside(), f"{name}: a call to tmux within a transaction"
        self._passage(name)

    # --- workers ---------------------------------------------------------------------------------

    def start_worker(self) -> WorkerProcess:
        """A new worker process: announce, then resume, as :mod:`workers.main` does."""
        core = self._core("worker")
        core.engine.register(bootstrap.step_handlers(core))
        worker = WorkerProcess(
            str(uuid.uuid4()),
            core,
            Relay(self.store, self.settings.paths.events_file),
            MarkerSweep(
                self.store, core.engine, core.benches, clock.now, core.wake_readers, witness_s=0
            ),
        )
        self.running = worker
        try:
            presence.announce(self.store, worker.worker_id, presence.this_process(), clock.now())
            core.engine.resume()
        except (AgentTowerError, OperationalError):
            self._bury()  # it ends with an error message, and is started again
            raise
        return worker

    def worker(self) -> WorkerProcess:
        """The running worker; a new one where none runs."""
        return self.running or self.start_worker()

    def as_worker(self, work: Callable[[WorkerProcess], T]) -> T | None:
        """Do something in the worker process; where it is killed, only the database remains."""
        try:
            return work(self.worker())
        except Killed:
            self._bury()
            return None

    def _bury(self) -> None:
        assert not self.store.inside(), "a kill left a transaction open"
        worker, self.running = self.running, None
        if worker is not None:
            # What the kernel does with the files of a dead process.
            worker.relay.close()
            worker.core.benches.close()
            Worker.update(process_start=-1).where(Worker.worker_id == worker.worker_id).execute()

    def second_owner(self) -> str:
        """Another living worker, started by mistake; it shares everything but its name."""
        worker_id = str(uuid.uuid4())
        presence.announce(self.store, worker_id, presence.this_process(), clock.now())
        return worker_id

    def beat(self) -> None:
        """The heartbeat of the running worker."""
        if self.running is not None:
            presence.beat(self.store, self.running.worker_id, clock.now())

    def run_message(self, owner: str | None = None) -> bool:
        """Take one due message off the queue and run it; ``False`` where none is due.

        :param owner: who claims it, if not the running worker.
        """
        assert self.running is not None
        data, _ = self.queue.storage._take()
        if data is None:
            return False
        self._pass("queue.taken")
        before, self._owner = self._owner, owner or self.running.worker_id
        try:
            self.queue.execute(self.queue.deserialize_task(data))
        finally:
            self._owner = before
        return True

    def _run_step(self, step_id: int) -> None:
        assert self.running is not None
        self.running.engine.run(step_id, self._owner)

    def look(self, container_id: str) -> bool:
        """The health thread's look at one container; whether it could be judged."""
        until = self.time.monotonic() + GLANCE_S
        return bool(
            self.as_worker(
                lambda worker: bootstrap.reconciler(worker.core).container(container_id, until)
            )
        )

    def hear_engine(self) -> None:
        """Let both processes hear what the engine has told since."""
        told, self.world.told = self.world.told, []
        for event in told:
            if self.running is not None:
                self.running.core.benches.drop(event.bench_id)
            try:
                self._discovery.heed(event)
            except BenchError:
                continue

    def close(self) -> None:
        if self.running is not None:
            self.running.relay.close()
            self.running.core.benches.close()
        self._stack.close()
