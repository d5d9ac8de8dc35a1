"""Stopping: the order of legacy surfaces 5.3, with requests in flight."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from agenttower.client import call
from agenttower.rpc.limits import Limits
from agenttower.rpc.method import Call
from agenttower.rpc.methods import method_table
from agenttower.rpc.server import Server
from tests.support.rpc_server import FakeServices, decoded, open_method, read_all, running_server
from tests.support.waiting import wait_until

LAYOUT = "0b8f6c1e-3a52-4d0e-9f57-2f1c6a7d8e90"


def test_shutdown_is_answered_then_done(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        assert server.ask("shutdown") == {"ok": True, "result": {"shutting_down": True}}
        assert server.ended()
        with pytest.raises(ConnectionRefusedError):
            server.connect()


def test_shutdown_of_a_client_that_leaves_at_once(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        with server.connect() as connection:
            connection.sendall(b'{"method":"shutdown"}\n')
        assert server.ended()


def test_refused_shutdown_stops_nothing(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        assert decoded(server.exchange(b'{"method":"shutdown","params":null}\n'))["ok"] is False
        assert server.ask("ping")["ok"] is True


def test_requests_in_flight_are_answered(tmp_path: Path) -> None:
    started, release = threading.Event(), threading.Event()

    def slow(_call: Call[object]) -> dict[str, object]:
        started.set()
        assert release.wait(10)
        return {"done": True}

    with running_server(tmp_path, extra={"slow": open_method(slow)}) as server:
        with server.connect() as connection:
            connection.sendall(b'{"method":"slow"}\n')
            assert started.wait(10)
            assert server.ask("shutdown")["ok"] is True
            wait_until(lambda: not server.server.accepting, 10, "the server to stop accepting")
            with pytest.raises((ConnectionRefusedError, ConnectionResetError)):
                server.connect()
            release.set()
            assert decoded(read_all(connection))["result"] == {"done": True}
        assert server.ended()


def test_request_that_takes_too_long_is_told_so(tmp_path: Path) -> None:
    started, release = threading.Event(), threading.Event()

    def stuck(_call: Call[object]) -> dict[str, object]:
        started.set()
        release.wait(20)
        return {}

    limits = Limits(stop_s=0.3)
    with running_server(tmp_path, extra={"stuck": open_method(stuck)}, limits=limits) as server:
        with server.connect() as connection:
            connection.sendall(b'{"method":"stuck"}\n')
            assert started.wait(10)
            server.server.stop()
            error = decoded(read_all(connection))["error"]
            assert error["code"] == "internal_error"
            assert "may still take effect" in error["message"]
        assert server.ended()
        release.set()


def test_waiting_requests_are_answered_with_what_there_is(tmp_path: Path) -> None:
    services = FakeServices()
    services.revisions[LAYOUT] = 3
    with running_server(tmp_path, services) as server:
        with server.connect() as connection:
            connection.sendall(
                b'{"method":"managed.layout.watch","params":{"layout_id":"%s",'
                b'"after_revision":3,"wait_seconds":25}}\n' % LAYOUT.encode()
            )
            wait_until(lambda: server.server.waiting == 1, 10, "the request to wait")
            server.server.stop()
            assert decoded(read_all(connection))["result"]["layout"]["revision"] == 3
        assert server.ended()


def test_silent_and_half_sent_requests_do_not_hold_it_up(tmp_path: Path) -> None:
    limits = Limits(stop_s=0.3)
    with running_server(tmp_path, limits=limits) as server:
        with server.connect() as silent, server.connect() as half:
            half.sendall(b'{"method"')
            wait_until(lambda: server.server.connections == 2, 10, "both to be accepted")
            server.server.stop()
            assert read_all(silent) == b""
            assert decoded(read_all(half))["error"]["code"] == "bad_request"
        assert server.ended()


def test_half_sent_request_may_be_finished(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        with server.connect() as half:
            half.sendall(b'{"method"')
            wait_until(lambda: server.server.connections == 1, 10, "it to be accepted")
            server.server.stop()
            wait_until(lambda: not server.server.accepting, 10, "the server to stop accepting")
            half.sendall(b':"ping"}\n')
            assert decoded(read_all(half)) == {"ok": True, "result": {}}
        assert server.ended()


def test_stop_before_it_serves_and_twice(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        server.server.stop()
        server.server.stop()
        assert server.ended()
        server.server.stop()
        server.server.wake()


def test_load_while_stopping_leaves_nobody_without_answer_or_end(tmp_path: Path) -> None:
    """Every client gets a whole answer or a clean end; none hangs and none gets half a line."""
    seen: list[bytes] = []
    lock = threading.Lock()

    def hammer() -> None:
        for _ in range(200):
            with suppress(ConnectionError, FileNotFoundError):
                answer = server.exchange(b'{"method":"ping"}\n')
                with lock:
                    seen.append(answer)

    with running_server(tmp_path) as server:
        threads = [threading.Thread(target=hammer) for _ in range(4)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(seen) > 20, 20, "some answers")
        server.server.stop()
        for thread in threads:
            thread.join(30)
        assert server.ended()
    assert set(seen) <= {b"", b'{"ok":true,"result":{}}\n'}


def test_threads_close_what_they_opened(tmp_path: Path) -> None:
    closed: list[str] = []
    services = FakeServices()
    server = Server(
        method_table(services),
        services.resolve_container,
        on_thread_exit=lambda: closed.append(threading.current_thread().name),
    )
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(tmp_path / "s"))
    listener.listen()
    thread = threading.Thread(target=server.serve_forever, args=(listener,))
    thread.start()
    call(tmp_path / "s", "ping")
    call(tmp_path / "s", "shutdown")
    thread.join(10)
    assert not thread.is_alive()
    assert closed
    assert all(name.startswith("rpc-") for name in closed)
