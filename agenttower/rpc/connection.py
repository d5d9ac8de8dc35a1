"""One client's connection, without waiting anywhere: what came in, what is left to send."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass, field
from enum import Enum, auto

from agenttower.rpc.dispatch import Job
from agenttower.rpc.framing import REQUEST_LIMIT
from agenttower.rpc.peer import Peer

_DISCARD_CHUNK = 65536


class Phase(Enum):
    """Where a connection stands."""

    READING = auto()
    WORKING = auto()
    """Its request is queued or runs on a thread."""
    PARKED = auto()
    """Its request waits for a change; no thread is held."""
    WRITING = auto()
    LINGERING = auto()
    """Answered; what else the client sends is thrown away for a moment."""
    ABANDONED = auto()
    """The client has gone; its request still runs."""
    CLOSED = auto()


class Received(Enum):
    """What a read brought."""

    MORE = auto()
    """Not a whole line yet."""
    LINE = auto()
    TOO_LARGE = auto()
    CUT_SHORT = auto()
    """The client stopped sending in the middle of a line."""
    NOTHING = auto()
    """The client went without sending anything, or is gone."""


@dataclass(eq=False, slots=True)
class Run:
    """One passage of a job through the pool. Who claims it, thread or reactor, decides its fate."""

    connection: Connection
    job: Job
    final: bool
    change: int
    """The number of the change that this run is sure to see."""
    _claim: threading.Lock = field(default_factory=threading.Lock)

    def claim(self) -> bool:
        """True for the first who asks."""
        return self._claim.acquire(blocking=False)


@dataclass(eq=False, slots=True)
class Connection:
    """Owned by the reactor; a thread touches only ``peer``, and only after claiming a run."""

    socket: socket.socket
    peer: Peer
    opened_at: float
    deadline: float
    """When the present phase has lasted too long, ``time.monotonic()`` seconds."""
    phase: Phase = Phase.READING
    line: bytes = b""
    """The request without its newline, once received."""
    job: Job | None = None
    run: Run | None = None
    """The run that the answer is awaited from."""
    seen_change: int = 0
    """While parked: the number of the last change that the handler has surely seen."""
    stops_server: bool = False
    overfed: bool = False
    """More came than the request line."""
    _input: bytearray = field(default_factory=bytearray)
    _output: memoryview = field(default_factory=lambda: memoryview(b""))

    def receive(self) -> Received:
        """Take what is there, never more than the limit of one request."""
        try:
            chunk = self.socket.recv(REQUEST_LIMIT - len(self._input))
        except (BlockingIOError, InterruptedError):
            return Received.MORE
        except OSError:
            return Received.NOTHING
        if not chunk:
            return Received.CUT_SHORT if self._input else Received.NOTHING
        searched = len(self._input)
        self._input += chunk
        end = self._input.find(b"\n", searched)
        if end >= 0:
            self.line = bytes(self._input[:end])
            self.overfed = len(self._input) > end + 1
            self._input.clear()
            return Received.LINE
        if len(self._input) >= REQUEST_LIMIT:
            self.overfed = True
            return Received.TOO_LARGE
        return Received.MORE

    @property
    def has_sent(self) -> bool:
        """Whether part of a request has come."""
        return bool(self._input)

    def put(self, line: bytes) -> None:
        """Set what :meth:`flush` sends."""
        self._output = memoryview(line)

    def flush(self) -> bool:
        """Send as much as the client takes.

        :returns: whether all of it is out.
        :raises OSError: the client has gone.
        """
        while self._output:
            try:
                sent = self.socket.send(self._output)
            except (BlockingIOError, InterruptedError):
                return False
            self._output = self._output[sent:]
        return True

    def end_sending(self) -> None:
        """Let the client see the end of the answer while it may still be sending."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def discard(self) -> bool:
        """Throw away input that nobody looks at: closing on top of it would reset the client.

        :returns: whether more may come.
        """
        try:
            return bool(self.socket.recv(_DISCARD_CHUNK))
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
