"""What is measured: a running tower with its benches, driven as a client drives it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from docker.models.containers import Container

from tests.support.docker import BenchFactory, DockerEngine
from tests.support.layouts import bench_with_logs, create
from tests.support.state_home import make_state_home
from tests.support.tower import Tower

DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class Creation:
    """One layout, from the request to the answer that it is ready."""

    requested_at: float
    """Unix seconds, to compare with the ledger's times."""
    accept_s: float
    total_s: float
    detail: dict[str, Any]


@dataclass(frozen=True)
class Testbed:
    """``serve`` and ``worker`` in a home of their own, and an engine with benches for them."""

    engine: DockerEngine
    tower: Tower
    factory: BenchFactory

    def bench(self) -> Container:
        """A fresh container that the tower knows and has no channel to yet."""
        return bench_with_logs(self.tower, self.factory)

    def pids(self) -> list[int]:
        """Both processes of the tower."""
        return [process.pid for process in self.tower.processes.values()]

    def restart(self) -> None:
        """Stop both processes and start them again on the same state."""
        self.tower.stop()
        self.tower.start()

    def create(self, bench: Container, session: str, template: str = "1m+2s") -> Creation:
        """Create a layout and wait, told by ``managed.layout.watch``, until it has settled.

        :raises AssertionError: it did not become ready.
        """
        requested_at, start = time.time(), time.perf_counter()
        accepted = create(self.tower, bench, template, session, label_prefix=f"{session}-")
        answered = time.perf_counter()
        detail = self.settled(accepted["layout_id"])
        done = time.perf_counter()
        assert detail["state"] == "ready", f"{detail}\n{self.tower.logs()}"
        return Creation(requested_at, answered - start, done - start, detail)

    def settled(self, layout_id: str) -> dict[str, Any]:
        """The detail of a layout once it is not creating any more."""
        revision, deadline = 0, time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            detail: dict[str, Any] = self.tower.result(
                "managed.layout.watch",
                {"layout_id": layout_id, "after_revision": revision, "wait_seconds": 20},
            )["layout"]
            if detail["state"] != "creating":
                return detail
            revision = detail["revision"]
        raise AssertionError(f"layout {layout_id} did not settle\n{self.tower.logs()}")


@contextmanager
def testbed(engine: DockerEngine) -> Iterator[Testbed]:
    """A running tower on ``engine``; afterwards nothing of it is left."""
    with make_state_home() as home:
        factory = BenchFactory(engine, f"atperf{secrets.token_hex(4)}")
        tower = Tower(home)
        tower.environ["DOCKER_HOST"] = engine.url
        tower.environ["AGENTTOWER_CONTAINERS_NAME_CONTAINS"] = factory.name_rule
        _hide_psycopg(tower)
        try:
            tower.start()
            yield Testbed(engine, tower, factory)
        finally:
            try:
                tower.close()
            finally:
                factory.remove_all()


def _hide_psycopg(tower: Tower) -> None:
    """DBOS brings psycopg along, which Peewee imports where it finds it: 17 MiB a process that
    AgentTower does not have where it is installed alone."""
    hidden = tower.home.root / "hidden"
    hidden.mkdir()
    (hidden / "psycopg.py").write_text("raise ImportError('hidden by the benchmarks')\n")
    tower.environ["PYTHONPATH"] = str(hidden)
