"""How the bytes of a channel travel: a socket to an exec of the engine, or to a child process."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from agenttower.bench.frames import Demultiplexer
from agenttower.bench.interface import Deadline

_CHUNK = 65536
_HEAD = 2048


class Transport(Protocol):
    """A two-way stream of bytes with deadlines; ``TimeoutError`` when one has passed."""

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Send all of it. :raises OSError: the other side is gone."""

    def end_input(self) -> None:
        """Tell the other side that nothing more will be sent. :raises OSError: it is gone."""

    def receive(self, deadline: Deadline) -> bytes:
        """Wait for the next bytes; empty at the end of the stream."""

    def start_failure(self) -> Exception | None:
        """After the end of the stream: why the process never ran, if it did not."""

    def error_text(self) -> str:
        """What the other side wrote to its stderr so far."""

    def close(self) -> None:
        """Close for good; the process at the other end sees the end of its input. Idempotent."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A one-shot process that has ended."""

    exit_code: int
    stdout: str
    stderr: str


class Launcher(Protocol):
    """Starts processes on one bench, as the bench user."""

    tmux: Sequence[str]
    """The tmux command with the options every call needs."""

    def check(self, deadline: Deadline) -> None:
        """:raises ContainerInactive: or a sibling, when nothing can be started there now."""

    def start(self, argv: Sequence[str], deadline: Deadline) -> Transport:
        """Start a process and return the stream to it.

        :raises ProgramMissing: the bench has no such program.
        """

    def run(self, argv: Sequence[str], stdin: bytes, deadline: Deadline) -> Finished:
        """Run a process to its end.

        :raises ProgramMissing: the bench has no such program.
        :raises TimeoutError: it has not ended by the deadline.
        """

    def close(self) -> None:
        """Release what the launcher itself holds."""


class ProgramMissing(Exception):
    """The program to be started does not exist on the bench."""


class SocketTransport:
    """A transport over a connected socket.

    :param frames: takes the engine's framing off; ``None`` where there is none.
    :param initial: bytes that were read off the socket already.
    :param judge: makes an error of what came first, if that tells why the process never ran.
    :param error_reader: where stderr is found when it does not come in frames.
    :param on_close: runs once, after the socket is closed.
    """

    def __init__(
        self,
        sock: socket.socket,
        frames: Demultiplexer | None = None,
        initial: bytes = b"",
        judge: Callable[[str], Exception | None] | None = None,
        error_reader: Callable[[], str] | None = None,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self._socket = sock
        self._frames = frames
        self._initial = initial
        self._judge = judge
        self._head = b""
        self._error_reader = error_reader
        self._on_close = on_close
        self._closed = False

    def send(self, data: bytes, deadline: Deadline) -> None:
        self._set_timeout(deadline)
        try:
            self._socket.sendall(data)
        except BlockingIOError as error:
            raise TimeoutError from error

    def end_input(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def receive(self, deadline: Deadline) -> bytes:
        while True:
            data = self._initial or self._read(deadline)
            self._initial = b""
            if not data:
                return b""
            output = self._frames.feed(data) if self._frames else data
            if output:
                self._head = self._head or output[:_HEAD]
                return output

    def start_failure(self) -> Exception | None:
        said = self._head.decode("utf-8", "replace") or self.error_text()
        return self._judge(said) if self._judge else None

    def error_text(self) -> str:
        if self._error_reader is not None:
            return self._error_reader()
        return self._frames.error_text() if self._frames else ""

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        if self._on_close is not None:
            self._on_close()

    def _read(self, deadline: Deadline) -> bytes:
        self._set_timeout(deadline)
        try:
            return self._socket.recv(_CHUNK)
        except BlockingIOError as error:
            raise TimeoutError from error
        except ConnectionError:
            return b""

    def _set_timeout(self, deadline: Deadline) -> None:
        # Zero means non-blocking, which is what a deadline in the past asks for.
        self._socket.settimeout(max(deadline - time.monotonic(), 0.0))
