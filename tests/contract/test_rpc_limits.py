"""What one peer may have, a whole container being one, and what the others keep."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agenttower.rpc.framing import APP_REQUEST_LIMIT
from agenttower.rpc.limits import Limits, Share
from agenttower.rpc.method import Call, Gate, Method
from tests.support.peers import CONTAINER, OTHER_CONTAINER, UNKNOWN, pretend
from tests.support.rpc_server import (
    FakeServices,
    RunningServer,
    decoded,
    open_method,
    read_all,
    running_server,
)
from tests.support.waiting import wait_until

PING = b'{"method":"ping"}\n'
PONG = {"ok": True, "result": {}}
LAYOUT = "0b8f6c1e-3a52-4d0e-9f57-2f1c6a7d8e90"
SMALL = Share(connections=4, running=2, queued=3, parked=2, held_bytes=100_000)


class Hold:
    """A handler that waits until it is let go."""

    def __init__(self) -> None:
        self.begun = 0
        self.release = threading.Event()

    def __call__(self, _call: Call[Any]) -> dict[str, Any]:
        self.begun += 1
        assert self.release.wait(20)
        return {}


@pytest.fixture
def hold() -> Iterator[Hold]:
    hold = Hold()
    yield hold
    hold.release.set()


@contextmanager
def serving(directory: Path, hold: Hold, limits: Limits) -> Iterator[RunningServer]:
    def big(call: Call[Any]) -> dict[str, Any]:
        return {"text": "x" * 90_000}

    extra = {
        "hold": open_method(hold),
        "big": open_method(big),
        "app.keys": Method(
            lambda params: params, lambda call: {"keys": len(call.params)}, Gate.HOST
        ),
        "app.hold": Method(lambda params: params, hold, Gate.HOST),
    }
    services = FakeServices()
    services.revisions[LAYOUT] = 3
    services.containers = {"a" * 64: "bench"}
    with running_server(directory, services, extra, limits) as running:
        yield running


def turned_away(connection: socket.socket, words: str) -> None:
    error = decoded(read_all(connection))["error"]
    assert error["code"] == "internal_error"
    assert words in error["message"]


# --- connections ---------------------------------------------------------------------------------


def test_a_container_has_its_share_and_others_have_theirs(
    tmp_path: Path, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, *[CONTAINER] * 6, OTHER_CONTAINER, None)
    limits = Limits(bench=SMALL, evictable_after_s=60)
    with serving(tmp_path, hold, limits) as server, ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(server.connect())
        wait_until(lambda: server.server.connections == 4, 10, "four to be let in")
        for _ in range(2):
            with server.connect() as one_more:
                turned_away(one_more, "too many requests open")
        for _ in range(2):  # another container, and the host
            assert decoded(server.exchange(PING)) == PONG
        wait_until(lambda: len(server.server._accounts) == 1, 10, "those to be forgotten")


def test_strangers_together_leave_places_for_the_host(
    tmp_path: Path, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    strangers = [CONTAINER, OTHER_CONTAINER, UNKNOWN]
    pretend(monkeypatch, *strangers, UNKNOWN, None)
    limits = Limits(foreign_connections=3, evictable_after_s=60)
    with serving(tmp_path, hold, limits) as server, ExitStack() as stack:
        for _ in strangers:
            stack.enter_context(server.connect())
        wait_until(lambda: server.server.connections == 3, 10, "three to be let in")
        with server.connect() as one_more:
            turned_away(one_more, "too many requests open")
        assert [decoded(server.exchange(PING)) for _ in range(5)] == [PONG] * 5


def test_among_strangers_only_strangers_make_room(
    tmp_path: Path, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, None, CONTAINER, OTHER_CONTAINER)
    limits = Limits(foreign_connections=1, evictable_after_s=0.0)
    with (
        serving(tmp_path, hold, limits) as server,
        server.connect() as mine,
        server.connect() as bench,
    ):
        wait_until(lambda: server.server.connections == 2, 10, "both to be let in")
        assert decoded(server.exchange(PING)) == PONG
        assert read_all(bench) == b""
        mine.sendall(PING)
        assert decoded(read_all(mine)) == PONG


# --- work ----------------------------------------------------------------------------------------


def test_work_that_waits_is_bounded_per_peer_and_refused_before_it_begins(
    tmp_path: Path, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, *[CONTAINER] * 6, None)
    limits = Limits(bench=replace(SMALL, connections=10), threads=4)
    with serving(tmp_path, hold, limits) as server, ExitStack() as stack:
        waiting = []
        for _ in range(5):  # two run, three wait
            waiting.append(stack.enter_context(server.connect()))
            waiting[-1].sendall(b'{"method":"hold"}\n')
        wait_until(lambda: hold.begun == 2, 10, "its share of threads to be used")
        wait_until(lambda: queued(server) == 3, 10, "the rest to wait")
        with server.connect() as sixth:
            sixth.sendall(b'{"method":"hold","keep_open":true}\n')
            error = json.loads(sixth.recv(65536))["error"]
            assert error["code"] == "internal_error"
            assert "this one was not begun" in error["message"]
            assert decoded(server.exchange(PING)) == PONG  # the host
            hold.release.set()
            assert [decoded(read_all(connection))["ok"] for connection in waiting] == [True] * 5
            sixth.sendall(PING)  # it was kept open
            assert decoded(read_all(sixth)) == PONG
        assert hold.begun == 5


def queued(server: RunningServer) -> int:
    pool = server.server._pool
    return sum(pool.queued(account) for account in list(pool._queues))


def test_waiting_for_news_is_bounded_per_peer(
    tmp_path: Path, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, CONTAINER, CONTAINER, CONTAINER, None)
    watch = b'{"method":"managed.event.list","params":{"wait_seconds":20}}\n'
    with serving(tmp_path, hold, Limits(bench=SMALL)) as server, ExitStack() as stack:
        for number in (1, 2):
            stack.enter_context(server.connect()).sendall(watch)
            wait_until(lambda number=number: server.server.waiting == number, 10, "it to wait")
        assert decoded(server.exchange(watch))["result"]["events"] == []
        stack.enter_context(server.connect()).sendall(watch)
        wait_until(lambda: server.server.waiting == 3, 10, "the host to wait")
        server.server.stop()


# --- memory --------------------------------------------------------------------------------------


def test_long_requests_are_bounded_per_peer(tmp_path: Path, hold: Hold) -> None:
    share = replace(Limits().host, held_bytes=2 * APP_REQUEST_LIMIT)
    long = b'{"method":"app.hold","params":{"pad":"' + b"x" * 70_000
    with serving(tmp_path, hold, Limits(host=share)) as server, ExitStack() as stack:
        accounts = server.server._accounts
        for _ in range(2):
            stack.enter_context(server.connect()).sendall(long)
        both = 2 * APP_REQUEST_LIMIT
        wait_until(lambda: accounts._held_bytes == both, 10, "both to be held")
        error = decoded(server.exchange(long))["error"]
        assert (error["code"], error["details"]) == ("internal_error", {})
        assert "too many long requests" in error["message"]
        stack.close()
        wait_until(lambda: accounts._held_bytes == 0, 10, "it to be given back")
        assert decoded(server.exchange(long.replace(b"hold", b"keys") + b'"}}\n'))["ok"] is True


def test_answers_that_nobody_takes_are_bounded_per_peer(
    tmp_path: Path, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their own sockets take some of them, so a handful of connections is needed."""
    pretend(monkeypatch, *[CONTAINER] * 2, None)
    small = replace(SMALL, held_bytes=100_000)
    with serving(tmp_path, hold, Limits(bench=small)) as server, server.connect() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        deaf.sendall(b'{"method":"big","keep_open":true}\n' * 20)
        held = server.server._accounts
        wait_until(lambda: held._held_bytes > 0, 10, "an answer to be held")
        error = decoded(server.exchange(b'{"method":"big"}\n'))["error"]
        assert error["code"] == "internal_error"
        assert "has not taken its earlier ones" in error["message"]
        assert decoded(server.exchange(b'{"method":"big"}\n'))["ok"] is True  # the host


# --- nothing is left -----------------------------------------------------------------------------


def test_five_hundred_silent_clients_and_what_they_leave(tmp_path: Path, hold: Hold) -> None:
    def used() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    before = used()
    with serving(tmp_path, hold, Limits(threads=2)) as server:
        assert server.ask("ping") == PONG
        served = used()
        with ExitStack() as stack:
            for number in range(500):
                silent = stack.enter_context(server.connect())
                silent.sendall(b'{"method":"app.keys","params":{'[: number % 30])
            wait_until(lambda: server.server.connections == 500, 20, "all to be let in")
            threads = used()[1]
            assert threads == served[1]
            assert [server.ask("ping") for _ in range(20)] == [PONG] * 20
        wait_until(lambda: not server.server.connections, 20, "all to be freed")
        wait_until(lambda: used() == served, 10, "their descriptors to be closed")
    assert used() == before
