"""Telling from what a pane shows whether a pasted text stands in the input, and whether it is gone.

A program gives no receipt, so the screen has to do. What cannot be seen is never claimed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

TAIL = 24
"""So many last characters of a text, blanks not counted, are looked for."""
_BORDERS = str.maketrans("", "", "│┃║|╎┆┊")


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a pane: the kind and text of its input, where that is known, and the rest."""

    kind: str
    text: str
    at_cursor: str
    cursor: tuple[int, int]
    whole: str

    @classmethod
    def of(cls, lines: Sequence[str], cursor_x: int, cursor_y: int, kind: str, text: str) -> Look:
        """:param kind: and ``text``, what is known of the agent's input line."""
        line = lines[cursor_y] if cursor_y < len(lines) else ""
        at_cursor = _squeezed(_cells(line, cursor_x))
        # The text may have been wrapped, or have line ends of its own.
        for above in reversed(lines[:cursor_y]):
            if len(at_cursor) >= TAIL:
                break
            at_cursor = _squeezed(above) + at_cursor
        return cls(kind, text, at_cursor, (cursor_x, cursor_y), "".join(map(_squeezed, lines)))

    @property
    def typed(self) -> str:
        """What is known to stand in the input; empty where nothing is, or nothing is known."""
        return self.text if self.kind in ("half_typed", "busy") else ""


class Verdict(Enum):
    """What a look after Enter tells."""

    SUBMITTED = "the text has left the input"
    STILL_THERE = "the text still stands in the input"
    UNKNOWN = "nothing can be told"


def tail_of(body: bytes) -> str:
    """What to look for on the screen: the end of a text, without blanks."""
    return _squeezed(body.decode("utf-8", "replace"))[-TAIL:]


def is_in_input(before: Look, now: Look, tail: str) -> bool:
    """Whether the pasted text is seen to stand in the input, where ``before`` it did not."""
    if now.typed and now.typed != before.typed:
        return True
    # The same text may have been sent before: then it stands above the cursor already.
    changed = (now.at_cursor, now.cursor) != (before.at_cursor, before.cursor)
    return bool(tail) and changed and now.at_cursor.endswith(tail)


def judge(before: Look, pasted: Look, now: Look, tail: str) -> Verdict:
    """What became of the text after Enter.

    :param before: the look before the paste, ``pasted`` the last one before Enter.
    """
    if not is_in_input(before, pasted, tail):
        appeared = bool(tail) and now.whole.count(tail) > before.whole.count(tail)
        return Verdict.SUBMITTED if appeared else Verdict.UNKNOWN
    if pasted.typed:
        return Verdict.STILL_THERE if pasted.typed in now.typed else Verdict.SUBMITTED
    if not now.at_cursor.endswith(tail):
        return Verdict.SUBMITTED
    moved = now.cursor != pasted.cursor
    if now.cursor[0] == 0:
        return Verdict.SUBMITTED if moved else Verdict.UNKNOWN
    unchanged = not moved and now.whole == pasted.whole
    return Verdict.STILL_THERE if unchanged else Verdict.UNKNOWN


def _squeezed(line: str) -> str:
    """A line without blanks and without the borders that programs draw around their input."""
    return "".join(line.translate(_BORDERS).split())


def _cells(line: str, cells: int) -> str:
    """The first ``cells`` columns of a line; wide characters take two, combining ones none."""
    taken = 0
    for index, character in enumerate(line):
        if taken >= cells and not unicodedata.combining(character):
            return line[:index]
        if not unicodedata.combining(character):
            taken += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return line
