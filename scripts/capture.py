"""Run a command in a terminal of its own and draw what is on the screen at its end as SVG.

The captures in the documentation are made with it, from a checkout after ``make setup``::

    .venv/bin/python scripts/capture.py docs/images/demo.svg -- .venv/bin/agenttower demo

Nothing is invented: what the picture shows was printed by the command. The first line is the
command itself, its path left out. Escape sequences that are not understood end the capture with an
error.
"""

from __future__ import annotations

import argparse
import codecs
import fcntl
import os
import pty
import re
import shlex
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

ROWS = 200
"""Taller than any output, so that nothing scrolls away."""

CELL_WIDTH, LINE_HEIGHT, FONT_SIZE, MARGIN = 8.4, 19, 14, 16
BACKGROUND, FOREGROUND, DIM = "#16181d", "#d8dbe2", "#7d8493"
COLOURS = dict(
    zip(
        range(30, 38),
        ("#4b5160", "#e5646e", "#8ccf7e", "#e5c76b", "#67b0e8", "#c47fd5", "#6cbfbf", "#d8dbe2"),
        strict=True,
    )
)
COLOURS |= {code + 60: colour for code, colour in COLOURS.items()} | {90: DIM}

_CONTROL = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])|\x1b\][^\x07]*\x07|[\r\n]")
_ASKS_NOTHING = "hl"
"""Private modes, such as hiding the cursor."""


@dataclass(frozen=True)
class Style:
    """How a character is drawn."""

    colour: str = FOREGROUND
    bold: bool = False
    dim: bool = False


PLAIN = Style()
Cell = tuple[str, Style]


class Screen:
    """As much of a terminal as our output needs: lines, wrapping, colours, going up, erasing."""

    def __init__(self, columns: int) -> None:
        self.lines: list[list[Cell]] = [[]]
        self._columns = columns
        self._row = self._column = 0
        self._style = PLAIN

    def feed(self, text: str) -> None:
        """Take the next piece of output."""
        end = 0
        for match in _CONTROL.finditer(text):
            self._write(text[end : match.start()])
            self._obey(match)
            end = match.end()
        self._write(text[end:])

    def _write(self, text: str) -> None:
        for character in text:
            if character < " ":
                raise ValueError(f"control character {character!r} is not understood")
            if self._column == self._columns:
                self._down()
                self._column = 0
            line = self.lines[self._row]
            line.extend([(" ", PLAIN)] * (self._column + 1 - len(line)))
            line[self._column] = (character, self._style)
            self._column += 1

    def _obey(self, match: re.Match[str]) -> None:
        private, numbers, letter = match[1], match[2], match[3]
        if match[0] == "\r":
            self._column = 0
        elif match[0] == "\n":
            self._down()
        elif letter is None or (private and letter in _ASKS_NOTHING):
            return
        elif letter == "m":
            self._paint([int(number or 0) for number in numbers.split(";")])
        elif letter == "A":
            self._row = max(0, self._row - int(numbers or 1))
        elif letter == "K":
            self.lines[self._row] = [] if numbers == "2" else self.lines[self._row][: self._column]
        else:
            raise ValueError(f"escape sequence {match[0]!r} is not understood")

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self.lines):
            self.lines.append([])

    def _paint(self, codes: Sequence[int]) -> None:
        for code in codes:
            if code == 0:
                self._style = PLAIN
            elif code == 1:
                self._style = replace(self._style, bold=True)
            elif code == 2:
                self._style = replace(self._style, dim=True)
            elif code == 22:
                self._style = replace(self._style, bold=False, dim=False)
            elif code == 39:
                self._style = replace(self._style, colour=FOREGROUND)
            elif code in COLOURS:
                self._style = replace(self._style, colour=COLOURS[code])
            else:
                raise ValueError(f"graphic rendition {code} is not understood")


def record(argv: Sequence[str], columns: int) -> tuple[Screen, int]:
    """Run a command in a new pseudo-terminal; its screen at the end, and its exit code."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", ROWS, columns, 0, 0))
    environ = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    with subprocess.Popen(
        argv,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=environ | {"TERM": "xterm-256color"},
        start_new_session=True,
    ) as process:
        os.close(terminal)
        screen = Screen(columns)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        try:
            while data := _read(controller):
                screen.feed(_whole(decoder.decode(data), controller, decoder))
        except BaseException:
            process.send_signal(signal.SIGTERM)
            raise
        finally:
            os.close(controller)
    return screen, process.returncode


def _read(controller: int) -> bytes:
    try:
        return os.read(controller, 65536)
    except OSError:  # how Linux says that the last process has closed the terminal
        return b""


def _whole(text: str, controller: int, decoder: codecs.IncrementalDecoder) -> str:
    """``text`` with the rest of an escape sequence that a read has cut."""
    while re.search(r"\x1b(\[[?0-9;]*)?$", text):
        text += decoder.decode(_read(controller))
    return text


def draw(lines: Sequence[Sequence[Cell]], title: str) -> str:
    """The lines as an SVG document. No font is embedded; every run is put at its column."""
    columns = max(map(len, lines))
    width = round(columns * CELL_WIDTH + 2 * MARGIN)
    height = len(lines) * LINE_HEIGHT + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="{BACKGROUND}"/>',
        f"<g font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\""
        f' font-size="{FONT_SIZE}" xml:space="preserve">',
    ]
    for row, line in enumerate(lines):
        baseline = MARGIN + row * LINE_HEIGHT + FONT_SIZE
        column = 0
        for style, cells in groupby(line, key=lambda cell: cell[1]):
            text = "".join(character for character, _ in cells)
            if text.strip():
                parts.append(_run(text, style, MARGIN + column * CELL_WIDTH, baseline))
            column += len(text)
    return "\n".join([*parts, "</g>", "</svg>"]) + "\n"


def _run(text: str, style: Style, x: float, y: int) -> str:
    colour = DIM if style.dim and style.colour == FOREGROUND else style.colour
    weight = ' font-weight="bold"' if style.bold else ""
    return (
        f'<text x="{x:.1f}" y="{y}" textLength="{len(text) * CELL_WIDTH:.1f}"'
        f' fill="{colour}"{weight}>{escape(text)}</text>'
    )


def main() -> int:
    """Entry point; the exit code is that of the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="the SVG file to write")
    parser.add_argument("--columns", type=int, default=122, help="width of the terminal")
    parser.add_argument("command", nargs="+", help="the command, after --")
    given = parser.parse_args()
    typed = shlex.join([Path(given.command[0]).name, *given.command[1:]])
    screen, code = record(given.command, given.columns)
    while screen.lines and not screen.lines[-1]:
        screen.lines.pop()
    shown = [[(character, Style(bold=True)) for character in f"$ {typed}"], *screen.lines]
    given.output.write_text(draw(shown, typed), encoding="utf-8")
    sys.stderr.write(f"{given.output}: {len(shown)} lines; the command ended with {code}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
