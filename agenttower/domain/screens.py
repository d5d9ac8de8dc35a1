"""Reading a pane's visible screen as text. Pure, and linear in the size of the screen."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Protocol

MAX_ROWS = 120
MAX_COLUMNS = 400
"""Nothing further up or further right is looked at, so that no screen can be slow to judge."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SPACES = re.compile(r"[\u00a0\u2000-\u200a\u202f\u3000]")


class ScreenView(Protocol):
    """What rules ask of a screen; :class:`agenttower.bench.interface.Screen` is one."""

    @property
    def lines(self) -> Sequence[str]: ...
    @property
    def cursor_x(self) -> int: ...
    @property
    def cursor_y(self) -> int: ...
    @property
    def command(self) -> str: ...
    @property
    def dead(self) -> bool: ...


class Rows:
    """The lower part of a screen, fit for patterns: plain spaces, no blank rows at its end."""

    def __init__(self, screen: ScreenView) -> None:
        first = max(0, len(screen.lines) - MAX_ROWS)
        self.text = [_plain(line) for line in screen.lines[first:]]
        while self.text and not self.text[-1]:
            self.text.pop()
        self.cursor_row = screen.cursor_y - first
        self.cursor_column = screen.cursor_x

    @property
    def left_of_cursor(self) -> str:
        """The cursor's row up to the cursor, with the spaces that stand there."""
        row = self.text[self.cursor_row] if 0 <= self.cursor_row < len(self.text) else ""
        cells = 0
        for place, char in enumerate(row):
            if cells >= self.cursor_column:
                return row[:place]
            cells += width(char)
        return row + " " * min(self.cursor_column - cells, MAX_COLUMNS)

    @property
    def cursor_is_last(self) -> bool:
        """Nothing stands below the cursor's row, nor to its right."""
        if self.cursor_row < len(self.text) - 1:
            return False
        return (
            self.cursor_row >= len(self.text)
            or width(self.text[self.cursor_row]) <= self.cursor_column
        )

    def filled(self, count: int) -> list[str]:
        """The last ``count`` rows that are not blank, in order."""
        return [row for row in self.text if row][-count:]


def width(text: str) -> int:
    """How many cells of a terminal the text takes."""
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def _plain(line: str) -> str:
    return _CONTROL.sub("", _SPACES.sub(" ", line[:MAX_COLUMNS])).rstrip()
