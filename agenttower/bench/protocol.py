"""Control-mode framing: bytes in, blocks out. No I/O (tmux-channel.md section 1.2)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

MAX_REPLY_BYTES = 64 * 1024 * 1024
"""A longer line or block is no answer to anything we ask."""


class ProtocolViolation(Exception):
    """The other side does not speak control mode, or says too much."""


@dataclass(frozen=True, slots=True)
class Block:
    """What tmux said to one command: ``%begin`` … ``%end``, or ``%error``."""

    ok: bool
    ours: bool
    """Whether a line of this client caused it; hooks and the opening command have flags 0."""
    body: str


class Parser:
    """Turns the stream of one control-mode client into blocks; notifications are dropped.

    A block ends only with the time, number and flags it began with, since a pane's contents may
    hold a line that looks like an end.
    """

    def __init__(self) -> None:
        self.blocks: deque[Block] = deque()
        self.exit_reason: str | None = None
        """Set once ``%exit`` was seen; empty where tmux gave no reason."""
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._guard: bytes | None = None
        self._body: list[bytes] = []
        self._body_bytes = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes, cut anywhere.

        :raises ProtocolViolation: for a line or block over :data:`MAX_REPLY_BYTES`.
        """
        head, newline, tail = data.rpartition(b"\n")
        if not newline:
            self._keep(tail)
            return
        lines = (b"".join(self._pending) + head).split(b"\n")
        self._pending, self._pending_bytes = [], 0
        self._keep(tail)
        for line in lines:
            self._line(line)

    def _keep(self, piece: bytes) -> None:
        self._pending.append(piece)
        self._pending_bytes += len(piece)
        if self._pending_bytes > MAX_REPLY_BYTES:
            raise ProtocolViolation("a line of the reply is too long")

    def _line(self, line: bytes) -> None:
        if self._guard is not None:
            self._inside(line, self._guard)
        elif line.startswith(b"%begin "):
            self._guard = line[len(b"%begin ") :]
        elif line == b"%exit" or line.startswith(b"%exit "):
            self.exit_reason = line[len(b"%exit ") :].decode("utf-8", "replace")

    def _inside(self, line: bytes, guard: bytes) -> None:
        if line in (b"%end " + guard, b"%error " + guard):
            body = b"\n".join(self._body).decode("utf-8", "replace")
            self.blocks.append(Block(line.startswith(b"%end "), not guard.endswith(b" 0"), body))
            self._guard, self._body, self._body_bytes = None, [], 0
            return
        self._body.append(line)
        self._body_bytes += len(line) + 1
        if self._body_bytes > MAX_REPLY_BYTES:
            raise ProtocolViolation("a reply is too long")
