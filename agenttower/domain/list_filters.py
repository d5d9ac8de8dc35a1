"""What filters of the lists of ``app.*`` may not be (app surface, section 8.4)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from agenttower.errors import ValidationFailed

MAX_MILLIS = 2**53 - 1
"""The largest whole number that every JSON reader keeps exact; in microseconds it fits 64 bits."""

_OPERATORS = re.compile(r"[<>~*%]|\blike\b", re.IGNORECASE)


def check_filters(given: Mapping[str, object], known: Collection[str]) -> None:
    """Refuse what is wrong with filters whatever their types: names, and operators in values.

    :param known: the names of the list's filters.
    :raises ValidationFailed: naming the first filter at fault.
    """
    for name, value in given.items():
        if name not in known:
            raise ValidationFailed(name[:64], "unknown filter")
        if isinstance(value, str) and _OPERATORS.search(value):
            raise ValidationFailed(name, "operator syntax not supported")
    since, until = given.get("since"), given.get("until")
    if type(since) is int and type(until) is int and since > until:
        raise ValidationFailed("since", "after until")


def not_before(millis: int) -> int:
    """The first microsecond that ``since`` lets through."""
    return millis * 1000


def before(millis: int) -> int:
    """The first microsecond that ``until`` does not: what is shown as ``millis`` still passes."""
    return (millis + 1) * 1000
