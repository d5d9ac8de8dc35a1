"""The one formatter: tables for people, plain stable lines for pipes, JSON for programs.

Lists are an aligned table on a terminal and tab-separated lines with a header elsewhere; single
objects are ``key=value`` lines elsewhere, nested keys joined with dots. Whatever comes from a
container is shown with its control characters written out.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import click

from agenttower.cli.text import safe, safe_json, short_id, width

Row = Mapping[str, Any]

STATE_COLOURS = {
    "ready": "green",
    "done": "green",
    "creating": "cyan",
    "running": "cyan",
    "degraded": "yellow",
    "failed": "red",
    "removed": "bright_black",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a list.

    ``value`` gives what scripts see, ``people`` what a terminal shows instead. A ``rare`` one is
    left out there while no row has anything in it. A title in capitals is part of the interface: it
    never changes.
    """

    title: str
    value: Callable[[Row], object]
    people: Callable[[Row], object] | None = None
    rare: bool = False


def key(title: str, name: str) -> Column:
    """A column that shows one key of each row."""
    return Column(title, lambda row: row.get(name))


CONTAINER = Column(
    "CONTAINER",
    lambda row: row["container_id"],
    lambda row: row.get("container_name") or short_id(row["container_id"]),
)
"""Full id for scripts; for people the name, or the id as ``docker ps`` shows it."""


def plain(value: object) -> str:
    """A value as scripts see it: ``-`` for none, ``true``, ``false``, compact JSON for others."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | list | tuple):
        return safe_json(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    return safe(str(value))


def flatten(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """The leaves of nested objects and lists of objects, named ``outer.inner``."""
    for name, inner in value.items():
        path = f"{prefix}{name}"
        if isinstance(inner, Mapping) and inner:
            yield from flatten(inner, f"{path}.")
        elif isinstance(inner, list) and inner and isinstance(inner[0], Mapping):
            yield from flatten({str(place): item for place, item in enumerate(inner)}, f"{path}.")
        else:
            yield path, inner


class Output:
    """Where a command writes, and in which of the three forms.

    :param json_mode: one JSON object on stdout and nothing on stderr.
    :param colour: ``None`` decides by terminal, ``NO_COLOR`` and ``TERM``.
    """

    def __init__(
        self,
        json_mode: bool = False,
        colour: bool | None = None,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        self.json_mode = json_mode
        self.colour = colour
        self.stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr

    @property
    def for_people(self) -> bool:
        """Whether stdout is a terminal and JSON was not asked for."""
        return self.stdout.isatty() and not self.json_mode

    def coloured(self, stream: TextIO | None = None) -> bool:
        """Whether colours may go to ``stream`` (stdout unless given)."""
        if self.colour is not None:
            return self.colour
        if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
            return False
        return (stream or self.stdout).isatty()

    def line(self, text: str = "") -> None:
        """One line of our own words on stdout; foreign parts must have passed ``safe``."""
        print(text, file=self.stdout, flush=True)

    def result(self, value: object) -> None:
        """What a command found, in the envelope of success (legacy surfaces part 1, section 14)."""
        self.document({"ok": True, "result": value})

    def document(self, value: object) -> None:
        """One JSON value: indented on a terminal, on one line elsewhere."""
        if self.stdout.isatty():
            self.line(safe_json(json.dumps(value, ensure_ascii=False, indent=2)))
        else:
            self.record(value)

    def record(self, value: object) -> None:
        """One JSON value of a stream, always on one line."""
        self.line(safe_json(json.dumps(value, ensure_ascii=False, separators=(",", ":"))))

    def rows(self, columns: Sequence[Column], rows: Sequence[Row], empty: str = "nothing") -> None:
        """A list. ``empty`` tells people why there is none; scripts get the header alone."""
        if not self.for_people:
            self.line("\t".join(column.title for column in columns))
            for row in rows:
                self.line("\t".join(plain(column.value(row)) for column in columns))
            return
        if not rows:
            self.line(empty)
            return
        shown = [
            column
            for column in columns
            if not column.rare or any(column.value(row) is not None for row in rows)
        ]
        self._table(
            [column.title for column in shown],
            [[plain((column.people or column.value)(row)) for column in shown] for row in rows],
        )

    def _table(self, titles: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
        widths = [max(map(width, column)) for column in zip(titles, *cells, strict=True)]

        def aligned(texts: Sequence[str], paint: Callable[[str], str]) -> str:
            padded = [paint(t) + " " * (w - width(t)) for t, w in zip(texts, widths, strict=True)]
            return "  ".join(padded).rstrip()

        self.line(aligned(titles, lambda text: self.paint(text, bold=True)))
        for row in cells:
            self.line(aligned(row, self.paint_state))

    def fields(self, value: Mapping[str, Any]) -> None:
        """One object as its leaves."""
        leaves = [(safe(name), plain(leaf)) for name, leaf in flatten(value)]
        if not self.for_people:
            for name, leaf in leaves:
                self.line(f"{name}={leaf}")
            return
        longest = max((width(name) for name, _ in leaves), default=0)
        for name, leaf in leaves:
            self.line(f"{self.paint(name.ljust(longest), dim=True)}  {self.paint_state(leaf)}")

    def paint(self, text: str, **style: Any) -> str:
        """``text`` in a click style, where colours are wanted."""
        return click.style(text, **style) if self.coloured() else text

    def paint_state(self, text: str) -> str:
        """``text`` in the colour of the state that it names, if it names one."""
        colour = STATE_COLOURS.get(text)
        return self.paint(text, fg=colour) if colour else text

    def note(self, text: str) -> None:
        """A remark for people beside the result: stderr, and never with ``--json``."""
        if not self.json_mode:
            print(text, file=self.stderr, flush=True)

    def error(self, message: str, code: str, details: Mapping[str, Any] | None = None) -> None:
        """A failure: two lines on stderr, or with ``--json`` the error envelope on stdout."""
        if self.json_mode:
            error = {"code": code, "message": message, "details": dict(details or {})}
            self.document({"ok": False, "error": error})
            return
        word = "error:"
        if self.coloured(self.stderr):
            word = click.style(word, fg="red", bold=True)
        print(f"{word} {safe(message)}\ncode: {safe(code)}", file=self.stderr, flush=True)
