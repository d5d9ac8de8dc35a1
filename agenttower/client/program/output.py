"""Where commands write: tables for people, plain stable lines for pipes, JSON for programs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
Columns = Sequence["tuple[str, str]"]
"""Title and key of each column; a key may go into an object, ``sender.label``."""

# What drives a terminal, reorders a line, breaks it, or cannot be encoded.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_NAMED = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


class Output:
    """One run's output; ``as_json`` means one JSON object on stdout and nothing on stderr."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def line(self, text: str = "") -> None:
        """One line of our own words; foreign parts must have passed :func:`safe`."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def record(self, value: object) -> None:
        """One JSON value on a line."""
        self.line(json.dumps(value, separators=(",", ":")))

    def result(self, value: object) -> None:
        """What a command found, as JSON."""
        self.record({"ok": True, "result": value})

    def note(self, text: str) -> None:
        """A remark beside the result."""
        if not self.as_json:
            sys.stderr.write(text + "\n")

    def error(self, message: str, code: str, details: Mapping[str, Any] | None = None) -> None:
        """A failure."""
        if self.as_json:
            error = {"code": code, "message": message, "details": dict(details or {})}
            self.record({"ok": False, "error": error})
        else:
            sys.stderr.write(f"error: {safe(message)}\ncode: {safe(code)}\n")

    def fields(self, value: Row) -> None:
        """One object as ``key=value`` lines, nested keys joined with dots."""
        for name, leaf in leaves(value):
            self.line(f"{safe(name)}={plain(leaf)}")

    def rows(self, columns: Columns, rows: Sequence[Row], empty: str) -> None:
        """A list: aligned on a terminal, else tab-separated below a header."""
        cells = [[plain(value_of(row, key)) for _, key in columns] for row in rows]
        titles = [title for title, _ in columns]
        if not sys.stdout.isatty():
            for row in (titles, *cells):
                self.line("\t".join(row))
            return
        if not cells:
            self.line(empty)
            return
        widths = [max(len(row[place]) for row in (titles, *cells)) for place in range(len(titles))]
        for row in (titles, *cells):
            padded = (text.ljust(width) for text, width in zip(row, widths))  # noqa: B905 - 3.9
            self.line("  ".join(padded).rstrip())


def value_of(row: Row, key: str) -> object:
    """The value at a key, which may go into an object."""
    found: object = row
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def plain(value: object) -> str:
    """A value as scripts see it: ``-`` for none, ``true``, ``false``, JSON for what is nested."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (Mapping, list, tuple)):
        return json.dumps(value, separators=(",", ":"))
    return safe(str(value))


def leaves(value: Row, prefix: str = "") -> Iterator[tuple[str, object]]:
    """The leaves of nested objects and of lists of objects, named ``outer.inner``."""
    for name, inner in value.items():
        path = f"{prefix}{name}"
        if isinstance(inner, Mapping) and inner:
            yield from leaves(inner, f"{path}.")
        elif isinstance(inner, list) and inner and isinstance(inner[0], Mapping):
            yield from leaves({str(place): item for place, item in enumerate(inner)}, f"{path}.")
        else:
            yield path, inner


def safe(text: str) -> str:
    """``text`` on one line, with everything that a terminal could obey written out visibly."""
    return _UNSAFE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    if character in _NAMED:
        return _NAMED[character]
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
