"""An exec's first bytes, which may come with the HTTP header; and an engine that starts nothing."""

from __future__ import annotations

import json
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agenttower.bench.docker_api import Engine
from agenttower.bench.docker_exec import DockerLauncher, ExecSettings
from agenttower.bench.transport import ProgramMissing
from agenttower.errors import (
    BenchConnectionLost,
    BenchError,
    ContainerInactive,
    ContainerNotFound,
    ContainerPaused,
    DockerFailed,
)

CONTAINER = "c0ffee" + "0" * 58
RUNTIME = "OCI runtime exec failed: exec failed: "
NOT_FOUND = RUNTIME + 'unable to start container process: exec: "tmux": executable file not found'

FIRST = b"%begin 1 1 0\n%end 1 1 0\n"
FRAME = struct.pack(">BxxxL", 1, len(FIRST)) + FIRST

Answer = tuple[int, str] | bytes
"""Status and message, or what the stream of the started process holds."""


class EngineStub(socketserver.StreamRequestHandler):
    """Answers as an engine does; ``cut`` bytes are glued to the header of the started exec."""

    create: Answer = (201, "")
    start: Answer = b""
    cut = 0

    def handle(self) -> None:
        while line := self.rfile.readline():
            self._read_body()
            if b"/version" in line:
                self._reply(200, {"ApiVersion": "1.41"})
            elif b"/start" in line:
                self._answer(self.start)
                return
            elif b"/exec/" in line:
                self._reply(200, {"ExitCode": 126})
            elif isinstance(self.create, tuple) and self.create[0] == 201:
                self._reply(201, {"Id": "e" * 64})
            else:
                self._answer(self.create)

    def _read_body(self) -> None:
        length = 0
        while (header := self.rfile.readline()) not in (b"\r\n", b""):
            name, _, value = header.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        self.rfile.read(length)

    def _answer(self, answer: Answer) -> None:
        if isinstance(answer, tuple):
            self._reply(answer[0], {"message": answer[1]})
            return
        upgraded = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
        self.wfile.write(upgraded + answer[: self.cut])
        self.wfile.write(answer[self.cut :])

    def _reply(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n"
        self.wfile.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = False


@contextmanager
def engine(path: Path, **answers: Answer | int) -> Iterator[DockerLauncher]:
    with Server(str(path), type("Stub", (EngineStub,), answers)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield DockerLauncher(Engine(f"unix://{path}"), CONTAINER, lambda _: ExecSettings())
        finally:
            server.shutdown()
            thread.join(10)


def in_stream(text: str) -> bytes:
    """As engine 20.10 writes it: in a frame of the process's stdout."""
    return struct.pack(">BxxxL", 1, len(text)) + text.encode()


@pytest.mark.parametrize("cut", [0, 1, 8, 20, len(FRAME)])
def test_no_byte_is_lost(tmp_path: Path, cut: int) -> None:
    with engine(tmp_path / "d.sock", start=FRAME, cut=cut) as launcher:
        soon = time.monotonic() + 10
        transport = launcher.start(["tmux"], soon)
        received = b""
        while len(received) < len(FIRST) and (data := transport.receive(soon)):
            received += data
        assert transport.start_failure() is None
        transport.close()
        assert received == FIRST


def run(launcher: DockerLauncher) -> object:
    return launcher.run(["tmux", "-V"], b"", time.monotonic() + 5)


def open_channel(launcher: DockerLauncher) -> object:
    transport = launcher.start(["tmux"], time.monotonic() + 5)
    try:
        while transport.receive(time.monotonic() + 5):
            pass
        failure = transport.start_failure()
    finally:
        transport.close()
    if failure is not None:
        raise failure
    return failure


WORDS: list[tuple[str, type[Exception], str]] = [
    (NOT_FOUND + " in $PATH: unknown\r\n", ProgramMissing, "tmux"),
    (RUNTIME + 'exec: "/x": stat /x: no such file or directory: unknown', ProgramMissing, "tmux"),
    (RUNTIME + "executable file `tmux` not found in $PATH", ProgramMissing, "tmux"),
    (RUNTIME + "cannot exec in a paused container (use --ignore-paused to override): unknown\r\n",
     BenchConnectionLost, "is frozen.*thaw"),
    (RUNTIME + "cannot exec in a stopped container: unknown", ContainerInactive, "docker start"),
    (RUNTIME + 'chdir to cwd ("/wd") set in config.json failed: no such file or directory',
     BenchConnectionLost, "could not start tmux in container c0ffee000000: OCI"),
    (RUNTIME + "open /sys/fs/cgroup/x: no such file or directory\r\n\x1b[2J", BenchConnectionLost,
     r"directory \[2J$"),
]  # fmt: skip


@pytest.mark.parametrize("call", [run, open_channel])
@pytest.mark.parametrize(("said", "expected", "message"), WORDS)
def test_what_the_runtime_said_in_the_stream(
    tmp_path: Path,
    call: Callable[[DockerLauncher], object],
    said: str,
    expected: type[Exception],
    message: str,
) -> None:
    for written in (in_stream(said), said.encode()):
        with (
            engine(tmp_path / f"{len(written)}.sock", start=written) as launcher,
            pytest.raises(expected, match=message) as caught,
        ):
            call(launcher)
        if isinstance(caught.value, BenchError):
            assert caught.value.message.isprintable()


@pytest.mark.parametrize(("said", "expected", "message"), WORDS)
def test_what_the_runtime_said_by_http(
    tmp_path: Path, said: str, expected: type[Exception], message: str
) -> None:
    """Engines from 25 on answer the start itself with it."""
    with (
        engine(tmp_path / "d.sock", start=(400, said)) as launcher,
        pytest.raises(expected, match=message.replace(": OCI", ": .*OCI").replace("$", "")),
    ):
        run(launcher)


@pytest.mark.parametrize("at", ["create", "start"])
@pytest.mark.parametrize(
    ("status", "said", "expected", "message"),
    [
        (409, "Container X is paused, unpause the container before exec", ContainerPaused,
         "is paused; resume it with 'docker unpause c0ffee000000'"),
        (409, "Container X is restarting, wait until the container is running", ContainerInactive,
         "is restarting; wait until it runs"),
        (500, "Container X is restarting, wait until the container is running", ContainerInactive,
         "is restarting; wait until it runs"),
        (409, "Container X is not running", ContainerInactive, "is not running; start it with"),
        (409, "conflict of some other kind", ContainerInactive, "is not running"),
        (404, "No such container: X", ContainerNotFound, "no bench container"),
        (404, "No such exec instance: e", BenchConnectionLost, "ended while a process was started"),
        (500, "disk\r\n\x1b[1mon fire", DockerFailed, "refused: disk .1mon fire; see"),
    ],
)  # fmt: skip
def test_what_the_engine_answers(
    tmp_path: Path, at: str, status: int, said: str, expected: type[BenchError], message: str
) -> None:
    with (
        engine(tmp_path / "d.sock", **{at: (status, said)}) as launcher,
        pytest.raises(expected, match=message) as caught,
    ):
        run(launcher)
    assert type(caught.value) is expected
    assert caught.value.message.isprintable()


def test_output_of_a_process_that_ran_is_its_own(tmp_path: Path) -> None:
    with engine(tmp_path / "d.sock", start=in_stream("tmux 3.3a\n")) as launcher:
        assert run(launcher).stdout == "tmux 3.3a\n"  # type: ignore[attr-defined]
