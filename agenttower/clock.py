"""Time as an argument: unix microseconds everywhere inside, RFC 3339 at the edges."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Micros = int
"""Unix time in microseconds."""

Clock = Callable[[], Micros]
"""What tells the time. Passed in, so that a test can stand still."""

SECOND: Micros = 1_000_000
MILLISECOND: Micros = 1_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> Micros:
    """The wall clock in unix microseconds."""
    return time.time_ns() // 1000


def to_rfc3339(moment: Micros) -> str:
    """``2026-05-06T18:01:34.512345+00:00``, always with microseconds and offset."""
    return (_EPOCH + timedelta(microseconds=moment)).isoformat(timespec="microseconds")


def to_rfc3339_or_none(moment: Micros | None) -> str | None:
    """As :func:`to_rfc3339`, passing ``None`` through."""
    return None if moment is None else to_rfc3339(moment)


def to_millis(moment: Micros) -> str:
    """``2026-05-06T18:01:34.512Z``: how prompts and routes show times (legacy part 2, 0.2)."""
    shown = _EPOCH + timedelta(microseconds=moment)
    return shown.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def to_millis_or_none(moment: Micros | None) -> str | None:
    """As :func:`to_millis`, passing ``None`` through."""
    return None if moment is None else to_millis(moment)
