"""One client's connection, without waiting anywhere: what came in, what is left to send."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass, field
from enum import Enum, auto

from agenttower.rpc.accounts import Account
from agenttower.rpc.dispatch import Job
from agenttower.rpc.framing import REQUEST_LIMIT
from agenttower.rpc.peer import Peer

_CHUNK = 65536


class Phase(Enum):
    """Where a connection stands."""

    READING = auto()
    COUNTING = auto()
    """Its request is too long; the rest is counted and thrown away before it is refused."""
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
    FULL = auto()
    """As much as may be read of one request, and still no newline."""
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
    """Owned by the reactor; a thread only reads what was known when the run began."""

    socket: socket.socket
    peer: Peer
    account: Account
    reading_since: float
    """When it was opened, or answered last, ``time.monotonic()`` seconds."""
    deadline: float
    """When the present phase has lasted too long, ``time.monotonic()`` seconds."""
    phase: Phase = Phase.READING
    line: bytes = b""
    """The request without its newline, once received."""
    limit: int = REQUEST_LIMIT
    """How long this line may be, its newline included."""
    job: Job | None = None
    run: Run | None = None
    """The run that the answer is awaited from."""
    seen_change: int = 0
    """While parked: the number of the last change that the handler has surely seen."""
    kept_open: bool = False
    """Another request may follow this answer."""
    stops_server: bool = False
    overfed: bool = False
    """More came than was asked for."""
    counted: int = 0
    """Bytes of a line that is too long."""
    held_bytes: int = 0
    """What :class:`~agenttower.rpc.accounts.Accounts` has set aside for it."""
    _input: bytearray = field(default_factory=bytearray)
    _searched: int = 0
    _output: memoryview = field(default_factory=lambda: memoryview(b""))

    def receive(self) -> Received:
        """Take what is there, never more than the limit of one request."""
        try:
            chunk = self.socket.recv(min(_CHUNK, self.limit - len(self._input)))
        except (BlockingIOError, InterruptedError):
            return Received.MORE
        except OSError:
            return Received.NOTHING
        if not chunk:
            return Received.CUT_SHORT if self._input else Received.NOTHING
        self._input += chunk
        return self.take_line()

    def take_line(self) -> Received:
        """Look for a whole line in what has come already; never :attr:`Received.NOTHING`."""
        end = self._input.find(b"\n", self._searched)
        if end >= 0:
            self.line = bytes(self._input[:end])
            del self._input[: end + 1]
            self._searched = 0
            return Received.LINE
        self._searched = len(self._input)
        return Received.FULL if len(self._input) >= self.limit else Received.MORE

    @property
    def head(self) -> bytes:
        """What has come of a line that is not whole."""
        return bytes(self._input)

    @property
    def has_sent(self) -> bool:
        """Whether part of a request has come."""
        return bool(self._input)

    def drop_input(self) -> None:
        """Nothing more is read as a request."""
        self.overfed = self.overfed or bool(self._input)
        self._input = bytearray()

    def begin_counting(self) -> None:
        """From now on the line is only counted."""
        self.counted = len(self._input)
        self.drop_input()

    def count(self) -> bool:
        """Throw away more of a line that is too long.

        :returns: whether its end may still come.
        """
        try:
            chunk = self.socket.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        end = chunk.find(b"\n")
        self.counted += len(chunk) if end < 0 else end + 1
        return bool(chunk) and end < 0

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
        self._output = memoryview(b"")
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
            return bool(self.socket.recv(_CHUNK))
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
