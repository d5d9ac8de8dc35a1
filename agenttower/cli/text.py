"""Making text from elsewhere fit to be shown: no control characters, known width, short times."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime

# C0, DEL and C1 drive terminals; the others reorder a line, break it, or cannot be encoded.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_UNSAFE_IN_JSON = re.compile(_UNSAFE.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))
_NAMED = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    if character in _NAMED:
        return _NAMED[character]
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def safe(text: str) -> str:
    """``text`` on one line, with everything that a terminal could obey written out visibly."""
    return _UNSAFE.sub(_escape, text)


def safe_lines(text: str) -> str:
    """As :func:`safe`, but line ends stay."""
    return "\n".join(safe(line) for line in text.splitlines())


def safe_json(document: str) -> str:
    """The same JSON value with those characters as escapes; line ends are layout and stay."""
    return _UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match.group()):04x}", document)


def width(text: str) -> int:
    """How many terminal columns ``text`` takes."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.combining(character)
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )


def parse_time(value: object) -> datetime | None:
    """An RFC 3339 time from the wire, ``None`` where there is none."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def age(value: object, now: datetime | None = None) -> str:
    """How long ago, for people: ``4s``, ``12m``, ``3h``, ``5d``; ``-`` where unknown."""
    moment = parse_time(value)
    if moment is None:
        return "-"
    seconds = max(0, int(((now or datetime.now(UTC)) - moment).total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def milliseconds(start: object, end: object) -> int | None:
    """Whole milliseconds between two RFC 3339 times, ``None`` where either is missing."""
    first, last = parse_time(start), parse_time(end)
    if first is None or last is None:
        return None
    return max(0, round((last - first).total_seconds() * 1000))


def short_id(value: str) -> str:
    """A container id as ``docker ps`` shows it."""
    return value[:12] if len(value) == 64 else value
