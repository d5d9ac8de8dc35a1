"""Whole lines of a log, a bounded piece at a time, from its end or from a place on."""

from __future__ import annotations

import os
from dataclasses import dataclass

LINE_BYTES = 65536
"""Of a longer line the rest is not shown."""
TAIL_BYTES = 200 * LINE_BYTES
PAGE_BYTES = 1024 * 1024
"""How much of a log one page of :func:`forward` looks through."""
_BLOCK = 65536


@dataclass(frozen=True, slots=True)
class Page:
    """Whole lines of a file: where they begin, where the next one does, and what follows them."""

    start: int
    lines: list[bytes]
    following: int
    rest: bytes
    """The last line, as far as it was written."""


def tail(file: int, lines: int) -> Page:
    """The last lines of a file, by reading no more than :data:`TAIL_BYTES` from its end.

    A line whose beginning is out of reach is left out: half a secret could not be told.
    """
    start = size = os.fstat(file).st_size
    blocks: list[bytes] = []
    ends = 0
    while start > 0 and ends <= lines and size - start < TAIL_BYTES:
        step = min(_BLOCK, start)
        start -= step
        block = os.pread(file, step, start)
        ends += block.count(b"\n")
        blocks.append(block)
    data = b"".join(reversed(blocks))
    if start > 0:
        whole = data.find(b"\n") + 1
        start, data = (start + whole, data[whole:]) if whole else (size, b"")
    *pieces, rest = data.split(b"\n")
    following = start + len(data) - len(rest)
    kept = pieces[-lines:] if lines else []
    start = following - sum(len(piece) + 1 for piece in kept)
    return Page(start, kept, following, rest)


def forward(file: int, offset: int, lines: int) -> Page:
    """Whole lines from ``offset`` on, at most ``lines`` and :data:`PAGE_BYTES`.

    Of a longer line the first page is shown; what is left of it, or of any other line that does not
    begin at ``offset``, is passed over, since half a secret could not be told.
    """
    data = os.pread(file, PAGE_BYTES, offset)
    goes_on = len(data) == PAGE_BYTES
    if offset > 0 and os.pread(file, 1, offset - 1) != b"\n":
        passed = data.find(b"\n") + 1
        if not passed:
            return Page(offset, [], offset + len(data), b"")
        offset, data = offset + passed, data[passed:]
    elif goes_on and b"\n" not in data:
        return Page(offset, [data], offset + len(data), b"")
    *pieces, rest = data.split(b"\n")
    kept = pieces[:lines]
    following = offset + sum(len(piece) + 1 for piece in kept)
    return Page(offset, kept, following, b"" if goes_on or len(pieces) > lines else rest)
