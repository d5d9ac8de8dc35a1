"""From the bytes of a log to the lines that are classified.

A record ends at a newline; what follows the last one waits on the disk. Where a record ends depends
on the file alone, never on how it was read, so that a reader that is killed and starts again finds
the same records.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from agenttower.domain.redaction import redact_text, strip_escapes

_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_FIRST_WORD = re.compile(r"\s*\S+")
_LONGEST_CHARACTER = 4
"""Bytes of a character in UTF-8."""


@dataclass(frozen=True, slots=True)
class Record:
    """A piece of a log: bytes ``start`` to ``end`` of the file, its newline included."""

    start: int
    end: int
    text: str
    """What a person would have seen, without secrets."""
    whole: bool
    """It ends at a newline. If not, it is a piece of a line longer than a reader takes at once."""


def split_records(data: bytes, start: int, cap: int, *, continued: bool) -> Iterator[Record]:
    """The records that are complete in ``data``, in order.

    A line that fills ``cap`` bytes without a newline would never be complete. It is cut: behind the
    last carriage return, which is where a progress bar begins its next picture, else between two
    characters.

    :param data: bytes of the file from ``start`` on, where a record begins. At least ``cap`` of
        them, unless the file ends sooner.
    :param continued: the record at ``start`` is the rest of a line that was cut between two
        characters (see :func:`is_cut_inside`).
    """
    position = 0
    while position < len(data):
        newline = data.find(b"\n", position, position + cap)
        if newline >= 0:
            end = newline + 1
            yield _record(data[position:newline], start + position, start + end, continued, True)
            continued = False
        elif len(data) - position >= cap:
            end = position + _cut(data[position : position + cap])
            piece = data[position:end]
            yield _record(piece, start + position, start + end, continued, False)
            continued = is_cut_inside(piece[-1:])
        else:
            return
        position = end


def is_cut_inside(byte_before: bytes) -> bool:
    """Whether a record that begins behind this byte is the rest of one that was cut anywhere.

    :param byte_before: the byte in the file before the record, or nothing at the file's start.
    """
    return byte_before not in (b"", b"\n", b"\r")


def _cut(piece: bytes) -> int:
    """How much of a piece without a newline makes a record."""
    # Not behind the last byte: what follows may be the newline that belongs to it.
    frame = piece.rfind(b"\r", 0, len(piece) - 1) + 1
    if frame:
        return frame
    if piece.endswith(b"\r"):
        return max(1, len(piece) - 1)
    for length in range(len(piece), max(0, len(piece) - _LONGEST_CHARACTER), -1):
        if length == len(piece) and piece[-1] < 0x80:
            return length
        if length < len(piece) and piece[length] & 0xC0 != 0x80:
            return length
    return len(piece)


def _record(line: bytes, start: int, end: int, continued: bool, whole: bool) -> Record:
    text = line.decode("utf-8", "replace")
    # A secret may have been cut in two, and a half does not look like one.
    if not whole and is_cut_inside(line[-1:]):
        text = f"{text[: _last_word(text)]}…"
    if continued:
        text = _FIRST_WORD.sub("…", text, count=1)
    return Record(start, end, readable(text), whole)


def _last_word(text: str) -> int:
    """Where it begins."""
    words = text.rstrip()
    return len(words) - len(words.rsplit(None, 1)[-1]) if words else 0


def readable(line: str) -> str:
    """A line of raw output as a person sees it in the end, redacted.

    Escapes and control characters are taken out first, since a colour in the middle of a token
    would hide it from redaction. Of pictures that carriage returns paint over each other the last
    stands.
    """
    line = line.removesuffix("\r")
    if not line.isprintable():
        line = strip_escapes(line)
        if "\r" in line:
            return _last_picture(line)
        line = _CONTROLS.sub("", line)
    return redact_text(line)


def _last_picture(line: str) -> str:
    # A shell wraps what is typed by a blank and a carriage return: joined, it may be a secret.
    if " \r" in line:
        typed = _CONTROLS.sub("", line.replace(" \r", ""))
        redacted = redact_text(typed)
        if redacted != typed:
            return redacted
    pictures = (picture for picture in reversed(line.split("\r")) if picture.strip())
    return redact_text(_CONTROLS.sub("", next(pictures, "")))


def cut_excerpt(text: str, cap: int, marker: str) -> str:
    """``text``, or its beginning and ``marker``, in at most ``cap`` bytes of UTF-8.

    :param cap: at least the length of ``marker`` in bytes.
    """
    if len(text) * _LONGEST_CHARACTER <= cap:
        return text
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= cap:
        return text
    room = cap - len(marker.encode())
    return encoded[:room].decode("utf-8", "ignore") + marker
