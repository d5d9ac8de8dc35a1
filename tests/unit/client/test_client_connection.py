"""The client side of one exchange: answers, refusals, and daemons that misbehave."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from agenttower.client import DaemonUnreachable, RpcError, call
from agenttower.client.connection import RESPONSE_LIMIT
from tests.support.rpc_server import running_server


@contextmanager
def daemon(path: Path, serve: Callable[[socket.socket], object]) -> Iterator[None]:
    """Accepts one connection, hands it to ``serve``, and closes it."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)

        def run() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                serve(connection)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            thread.join(20)
            assert not thread.is_alive()


def answering(line: bytes) -> Callable[[socket.socket], object]:
    def serve(connection: socket.socket) -> None:
        while not connection.recv(65536).endswith(b"\n"):
            pass
        connection.sendall(line)

    return serve


def unreachable(path: Path, timeout: float = 5.0) -> DaemonUnreachable:
    with pytest.raises(DaemonUnreachable) as caught:
        call(path, "ping", timeout=timeout)
    return caught.value


def test_result_and_request(tmp_path: Path) -> None:
    seen: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        seen.append(connection.recv(65536))
        connection.sendall(b'{"ok":true,"result":{"a":1}}\n')

    with daemon(tmp_path / "s", serve):
        assert call(tmp_path / "s", "m", {"x": "é\n"}) == {"a": 1}
    assert seen[0].count(b"\n") == 1
    assert json.loads(seen[0]) == {"method": "m", "params": {"x": "é\n"}}


@pytest.mark.parametrize("details", [b"", b',"details":{"field":"x"}'])
def test_refusal(tmp_path: Path, details: bytes) -> None:
    line = b'{"ok":false,"error":{"code":"odd_new_code","message":"no"%s}}\n' % details
    with daemon(tmp_path / "s", answering(line)), pytest.raises(RpcError) as caught:
        call(str(tmp_path / "s"), "m")
    assert (caught.value.code, caught.value.message) == ("odd_new_code", "no")
    assert caught.value.details == ({"field": "x"} if details else {})


def test_no_socket(tmp_path: Path) -> None:
    error = unreachable(tmp_path / "s")
    assert error.kind == "socket_missing"
    assert "agenttower up" in error.message
    (tmp_path / "f").touch()
    assert unreachable(tmp_path / "f" / "s").kind == "socket_missing"


def test_no_listener(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "s"))
    error = unreachable(tmp_path / "s")
    assert error.kind == "connection_refused"
    assert "agenttower serve" in error.message


def test_not_a_socket(tmp_path: Path) -> None:
    (tmp_path / "s").touch()
    assert unreachable(tmp_path / "s").kind == "socket_not_unix"
    assert unreachable(tmp_path).kind == "socket_not_unix"


def test_not_allowed(tmp_path: Path) -> None:
    """As root nothing is forbidden, so this asks as somebody else, in a process of its own."""
    if os.geteuid() != 0:
        pytest.skip("becoming somebody else needs root")
    program = (
        "import os, sys; from agenttower.client import DaemonUnreachable, call\n"
        "os.setuid(65534)\n"
        "try:\n"
        "    call(sys.argv[1], 'ping')\n"
        "except DaemonUnreachable as error:\n"
        "    print(error.kind)\n"
    )
    (tmp_path / "d").mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "d" / "s"))
        listener.listen()
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "d" / "s")],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    assert done.stdout == "permission_denied\n"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b'{"ok":true,"result":{}}',
        b"nonsense\n",
        b"[]\n",
        b'{"ok":true}\n',
        b'{"ok":true,"result":3}\n',
        b'{"ok":false}\n',
        b'{"ok":false,"error":"x"}\n',
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\xff\n",
    ],
)
def test_no_sensible_answer(tmp_path: Path, line: bytes) -> None:
    with daemon(tmp_path / "s", answering(line)):
        assert unreachable(tmp_path / "s").kind == "protocol_error"


def test_answer_in_pieces_and_bytes_after_it(tmp_path: Path) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        for byte in b'{"ok":true,"result":{}}\nrest':
            connection.sendall(bytes([byte]))

    with daemon(tmp_path / "s", serve):
        assert call(tmp_path / "s", "ping") == {}


def test_large_answer_and_one_without_end(tmp_path: Path) -> None:
    text = b"x" * (RESPONSE_LIMIT - 100)
    with daemon(tmp_path / "s", answering(b'{"ok":true,"result":{"t":"%s"}}\n' % text)):
        assert len(call(tmp_path / "s", "m")["t"]) == len(text)

    def flood(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"x" * 65536)

    with daemon(tmp_path / "t", flood):
        error = unreachable(tmp_path / "t", timeout=20)
    assert error.kind == "protocol_error"
    assert "ask for less" in error.message


def test_deadline_covers_the_whole_exchange(tmp_path: Path) -> None:
    """A daemon that sends a byte now and then does not extend it."""
    done = threading.Event()

    def trickle(connection: socket.socket) -> None:
        while not done.wait(0.02):
            connection.sendall(b" ")

    with daemon(tmp_path / "s", trickle):
        try:
            error = unreachable(tmp_path / "s", timeout=0.2)
        finally:
            done.set()
    assert error.kind == "connect_timeout"
    assert "may still take effect" in error.message


def test_daemon_that_takes_no_connection_is_not_waited_for_forever(tmp_path: Path) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(tmp_path / "s"))
        listener.listen(0)
        while True:  # fill its queue
            filler = stack.enter_context(socket.socket(socket.AF_UNIX))
            filler.setblocking(False)
            try:
                filler.connect(str(tmp_path / "s"))
            except BlockingIOError:
                break
        started = time.monotonic()
        assert unreachable(tmp_path / "s", timeout=0.2).kind == "connect_timeout"
        assert time.monotonic() - started < 10


def test_request_that_is_too_large_is_refused_by_the_daemon(tmp_path: Path) -> None:
    with running_server(tmp_path) as server, pytest.raises(RpcError) as caught:
        call(server.path, "ping", {"pad": "x" * 3_000_000})
    assert caught.value.code == "request_too_large"


def test_any_length_of_path(tmp_path: Path) -> None:
    directory = tmp_path.joinpath(*["d" * 200] * 3)
    directory.mkdir(parents=True)
    name = "n" * 100
    opened = os.open(directory, os.O_PATH)
    try:
        with daemon(
            Path(f"/proc/self/fd/{opened}/{name[:80]}"), answering(b'{"ok":true,"result":{}}\n')
        ):
            os.rename(directory / name[:80], directory / name)
            assert call(directory / name, "ping") == {}
    finally:
        os.close(opened)


def test_descriptors_are_closed(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        unreachable(tmp_path / "s")
    with running_server(tmp_path) as server:
        for _ in range(20):
            call(server.path, "ping")
    assert len(os.listdir("/proc/self/fd")) <= before
