"""What an engine told once is not lost to a database that was locked just then."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from agenttower.bench.interface import BenchEvent
from agenttower.store.database import DatabaseBusy
from workers import pumps
from workers.pumps import BenchWatch

STOPPED, STARTED = BenchEvent("die", "a" * 64, "bench"), BenchEvent("start", "a" * 64, "bench")


class Engine:
    name = "docker"

    def events(self, stop: Callable[[], bool]) -> Iterator[BenchEvent]:
        yield from (STOPPED, STARTED)

    def close(self) -> None:
        pass


class Containers:
    """Refuses the first calls."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.heeded: list[BenchEvent] = []

    def heed(self, event: BenchEvent) -> None:
        if self.refusals:
            self.refusals -= 1
            raise DatabaseBusy
        self.heeded.append(event)


class NoStore:
    def close_thread(self) -> None:
        pass


def watch(containers: Containers) -> BenchWatch:
    return BenchWatch(cast(Any, NoStore()), cast(Any, Engine()), cast(Any, containers))


def test_an_event_is_heeded_again_until_it_is_written_down(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pumps, "AGAIN_S", 0.001)
    containers = Containers(refusals=3)
    with caplog.at_level(logging.WARNING):
        watch(containers).run()
    assert containers.heeded == [STOPPED, STARTED]
    assert len(caplog.records) == 3


def test_what_can_never_be_written_down_holds_up_nothing_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pumps, "AGAIN_S", 0.001)
    containers = Containers(refusals=pumps.HEED_TRIES)
    watch(containers).run()
    assert containers.heeded == [STARTED]


def test_a_watch_that_is_stopped_does_not_try_again() -> None:
    containers = Containers(refusals=10)
    stopped = watch(containers)
    stopped.stop()
    stopped.run()
    assert containers.refusals == 8
