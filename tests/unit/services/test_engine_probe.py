"""The look at the engine: shared, bounded, and never older than the question."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agenttower.bench.docker_provider import DockerProvider
from agenttower.bench.registry import Benches
from agenttower.domain.readiness import Health, SubsystemHealth
from agenttower.errors import DockerPermissionDenied
from agenttower.services.background import Background
from agenttower.services.engine_probe import NOT_DETECTED, EngineProbe


class Engine:
    """A provider that answers when it may."""

    name = "docker"

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.begun = threading.Semaphore(0)
        self.asked = 0
        self.found: bool | Exception = True

    def ping(self, timeout_s: float) -> bool:
        self.asked += 1
        self.begun.release()
        assert self.answers.wait(10)
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


class Rig:
    def __init__(self, provider: Any) -> None:
        self.woken = threading.Event()
        self.background = Background(lambda: None)
        benches = cast(Benches, SimpleNamespace(providers=(provider,)))
        self.probe = EngineProbe(benches, self.background, self.woken.set)

    def now(self) -> SubsystemHealth:
        """As a request finds it that may wait to the end."""
        row = self.probe.ask(time.monotonic(), final=True)
        assert row is not None
        return row


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def rig(engine: Engine) -> Iterator[Rig]:
    rig = Rig(engine)
    yield rig
    engine.answers.set()
    rig.background.close()


def test_every_question_is_asked_anew(rig: Rig, engine: Engine) -> None:
    engine.answers.set()
    assert rig.now().status is Health.OK
    engine.found = DockerPermissionDenied("the socket /run/docker.sock may not be used")
    row = rig.now()
    assert (row.status, row.reason) == (Health.UNAVAILABLE, "the socket (path) may not be used")
    engine.found = False
    assert rig.now().reason == NOT_DETECTED
    engine.found = ZeroDivisionError("inside")
    row = rig.now()
    assert row.status is Health.UNAVAILABLE
    assert "inside" not in row.reason


def test_who_asks_meanwhile_shares_the_answer(rig: Rig, engine: Engine) -> None:
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(rig.now)
        assert engine.begun.acquire(timeout=10)
        others = [pool.submit(rig.now) for _ in range(7)]
        engine.answers.set()
        assert {one.result(10).status for one in (first, *others)} == {Health.OK}
    assert engine.asked <= 2  # one that was still to begin may have come after the answer


def test_an_engine_that_thinks_holds_nobody(rig: Rig, engine: Engine) -> None:
    asked_at = time.monotonic()
    assert rig.probe.ask(asked_at, final=False) is None
    assert rig.probe.ask(asked_at, final=False) is None
    assert engine.asked == 1
    engine.answers.set()
    assert rig.woken.wait(10)
    row = rig.probe.ask(asked_at, final=False)
    assert row is not None
    assert row.status is Health.OK
    assert engine.asked == 1


def test_an_engine_that_hangs_is_unavailable(tmp_path: Path) -> None:
    """It takes the connection and says nothing, as one does whose process is frozen."""
    row = with_engine(tmp_path / "sock", lambda _: None)
    assert row.status is Health.UNAVAILABLE
    assert row.reason == "the Docker engine did not answer within 1 s"


def test_an_engine_that_is_something_else(tmp_path: Path) -> None:
    def answer(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                if connection.recv(4096):
                    connection.sendall(b"SSH-2.0-OpenSSH\r\n")

    row = with_engine(tmp_path / "sock", answer)
    assert row.status is Health.UNAVAILABLE
    assert row.reason


def test_a_machine_without_an_engine(tmp_path: Path) -> None:
    assert state_of(f"unix://{tmp_path}/none").reason == NOT_DETECTED


def test_a_socket_that_nobody_listens_on(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "sock"))
    row = state_of(f"unix://{tmp_path}/sock")
    assert row.status is Health.UNAVAILABLE
    assert "refused" in row.reason
    assert str(tmp_path) not in row.reason


def with_engine(path: Path, serve: Callable[[socket.socket], None]) -> SubsystemHealth:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            return state_of(f"unix://{path}")
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def state_of(address: str) -> SubsystemHealth:
    provider = DockerProvider(address)
    rig = Rig(provider)
    try:
        return rig.now()
    finally:
        rig.background.close()
        provider.close()
