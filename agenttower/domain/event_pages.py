"""Instants and cursors of ``events.*`` (legacy surfaces part 2, sections 2 and 2.1)."""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta

MAX_CURSOR = 512
MAX_EVENT_ID = 2**53 - 1
"""The largest whole number that every JSON reader keeps exact."""

_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?([Zz]|[+-]\d\d(:?\d\d)?)", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CURSOR = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def parse_instant(text: str) -> int:
    """Unix microseconds of an ISO 8601 time with an offset.

    :raises ValueError: it is no such time, or says no offset.
    """
    if not _INSTANT.fullmatch(text):
        raise ValueError("not a date and a time with an offset")
    moment = datetime.fromisoformat(text.upper().replace(" ", "T").replace(",", "."))
    try:
        return (moment - _EPOCH) // _MICROSECOND
    except OverflowError as error:
        raise ValueError("beyond the calendar") from error


def encode_place(event_id: int, *, reverse: bool) -> str:
    """The cursor of the page behind this event."""
    text = json.dumps({"e": event_id, "r": reverse}, separators=(",", ":"))
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_place(cursor: object, *, reverse: bool) -> int:
    """The event that a page begins behind.

    :raises ValueError: not such a cursor, or one of the other direction.
    """
    if not isinstance(cursor, str) or not cursor or len(cursor) > MAX_CURSOR:
        raise ValueError("not a cursor")
    if not _CURSOR.fullmatch(cursor):
        raise ValueError("not base64url")
    try:
        raw = b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        place = json.loads(raw)
    except (binascii.Error, UnicodeError, ValueError, RecursionError) as error:
        raise ValueError("not JSON") from error
    if not isinstance(place, dict):
        raise ValueError("not an object")
    event_id, direction = place.get("e"), place.get("r")
    if type(event_id) is not int or not 1 <= event_id <= MAX_EVENT_ID:
        raise ValueError("no event")
    if type(direction) is not bool or direction is not reverse:
        raise ValueError("of the other direction")
    return event_id
