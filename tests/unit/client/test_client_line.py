"""One connection for many requests: kept where the daemon keeps it, and never one answer behind."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from agenttower.client import Client, DaemonUnreachable, refusals
from tests.support.rpc_server import running_server

Serve = Callable[[dict[str, Any]], "bytes | None"]


class Daemon:
    """Serves connections one after the other; ``serve`` gives a line, or ``None`` to hang up.

    :param stays: whether it keeps connections open that ask for it.
    """

    def __init__(self, path: Path, serve: Serve, stays: bool = True) -> None:
        self.connections = 0
        self.requests: list[dict[str, Any]] = []
        self._serve, self._stays = serve, stays
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(16)
        self._spawn(self._accept)

    def hang_up(self) -> None:
        """Close every connection, as a daemon does with those that are silent."""
        for kept in self._open:
            with suppress(OSError):
                kept.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive()

    def _spawn(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            self._spawn(self._answer, connection)

    def _answer(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            for line in lines:
                request = json.loads(line)
                if request["method"] == "ping":
                    answer: bytes | None = b'{"ok":true,"result":{}}\n'
                else:
                    self.requests.append(request)
                    answer = self._serve(request)
                if answer is None:
                    return
                with suppress(OSError):
                    connection.sendall(answer)
                if not (self._stays and request.get("keep_open")):
                    return


@contextmanager
def daemon(tmp_path: Path, serve: Serve, stays: bool = True) -> Iterator[tuple[Daemon, Client]]:
    running = Daemon(tmp_path / "s", serve, stays)
    try:
        with Client(tmp_path / "s", timeout=5, keep_open=True) as client:
            yield running, client
    finally:
        running.close()


def echo(request: dict[str, Any]) -> bytes:
    return json.dumps({"ok": True, "result": request["params"]}).encode() + b"\n"


def test_one_connection_for_many_requests(tmp_path: Path) -> None:
    with daemon(tmp_path, echo) as (running, client):
        for number in range(50):
            assert client.call("echo", number=number) == {"number": number}
        assert running.connections == 1
        assert all(request["keep_open"] is True for request in running.requests)
        client.close()
        assert client.call("echo", again=1) == {"again": 1}
        assert running.connections == 2


def test_a_daemon_that_keeps_none_open(tmp_path: Path) -> None:
    with daemon(tmp_path, echo, stays=False) as (running, client):
        for number in range(5):
            assert client.call("echo", number=number) == {"number": number}
        assert running.connections == 6  # one of them to find that out


def test_the_daemon_of_this_tree(tmp_path: Path) -> None:
    with running_server(tmp_path) as server, Client(server.path, keep_open=True) as client:
        for _ in range(5):
            client.ping()


def test_one_that_was_closed_meanwhile_is_made_anew(tmp_path: Path) -> None:
    """Nothing had been sent on it, so nothing is asked twice."""
    with daemon(tmp_path, echo) as (running, client):
        client.call("echo", n=1)
        running.hang_up()
        assert client.call("echo", n=2) == {"n": 2}
        assert [request["params"]["n"] for request in running.requests] == [1, 2]
        assert running.connections == 2


def test_a_refusal_keeps_it(tmp_path: Path) -> None:
    def refuse(_: dict[str, Any]) -> bytes:
        return b'{"ok":false,"error":{"code":"host_only","message":"no"}}\n'

    with daemon(tmp_path, refuse) as (running, client):
        for _ in range(3):
            with pytest.raises(refusals.HostOnly):
                client.status()
        assert running.connections == 1


def test_a_request_whose_answer_is_lost_is_not_asked_again(tmp_path: Path) -> None:
    with daemon(tmp_path, lambda _: None) as (running, client):
        with pytest.raises(DaemonUnreachable):
            client.call("managed.layout.create")
        assert len(running.requests) == 1


def test_an_answer_that_comes_too_late_is_nobodys(tmp_path: Path) -> None:
    gate = threading.Event()

    def slow(request: dict[str, Any]) -> bytes:
        if request["params"] == {"n": 1}:
            gate.wait(20)
        return echo(request)

    with daemon(tmp_path, slow) as (running, client):
        with pytest.raises(DaemonUnreachable):
            client.call("echo", n=1, timeout=0.1)
        gate.set()
        assert client.call("echo", n=2) == {"n": 2}
        assert running.connections == 2


@pytest.mark.parametrize("more", [b"x", b'{"ok":true,"result":{}}\n'])
def test_bytes_that_nobody_asked_for(tmp_path: Path, more: bytes) -> None:
    with daemon(tmp_path, lambda request: echo(request) + more) as (running, client):
        for number in range(3):
            assert client.call("echo", n=number) == {"n": number}
        assert running.connections >= 1


def test_threads_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """One that waits for news for a long time holds nobody up."""
    gate = threading.Event()

    def wait(request: dict[str, Any]) -> bytes:
        if request["method"] == "wait":
            gate.wait(20)
        return echo(request)

    with daemon(tmp_path, wait) as (running, client):
        waiting = threading.Thread(target=client.call, args=("wait",))
        waiting.start()
        while not running.requests:
            pass
        assert client.call("echo", n=1) == {"n": 1}
        gate.set()
        waiting.join(20)
        assert running.connections == 2


def test_a_child_has_a_connection_of_its_own(tmp_path: Path) -> None:
    with daemon(tmp_path, echo) as (running, client):
        client.call("echo", n=0)
        line = client._line
        assert line is not None
        line._pid = os.getpid() + 1  # as it is after a fork
        assert client.call("echo", n=1) == {"n": 1}
        assert running.connections == 2
