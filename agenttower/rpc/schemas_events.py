"""How ``params`` of ``events.*`` are checked (legacy surfaces part 2, section 2).

Every wrong filter is ``events_filter_invalid``, of whatever type it is; unknown parameters are
ignored, as in all legacy methods.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from agenttower.errors import (
    AgentTowerError,
    EventsFilterInvalid,
    EventsInvalidCursor,
    EventsSessionUnknown,
)
from agenttower.rpc.method import Params

S = TypeVar("S", bound=msgspec.Struct)

LONG_S = 86_400
"""A number of seconds beyond a float's range is as good as a day."""

_MUST_BE = {
    "types": "must be a list of event types",
    "limit": "must be a whole number",
    "reverse": "must be true or false",
}


def filters(struct: type[S]) -> Callable[[Params], S]:
    """A decoder for ``events.*``.

    It raises :class:`~agenttower.errors.EventsFilterInvalid` for the first parameter, in the order
    of the struct, that does not fit; for a handle and a cursor their own errors.
    """
    fields = msgspec.structs.fields(struct)

    def decode(params: Params) -> S:
        given = {name: _bounded(value) for name, value in params.items()}
        for field in fields:
            name = field.encode_name
            if field.required and name not in given:
                raise _refusal(name, None)
            try:
                msgspec.convert(given.get(name, field.default), type=field.type)
            except msgspec.ValidationError as error:
                raise _refusal(name, given[name]) from error
        return msgspec.convert(given, struct)

    return decode


def _bounded(value: object) -> object:
    return min(value, 2**53) if type(value) is int else value


def _refusal(name: str, value: object) -> AgentTowerError:
    if name == "session_id":
        return EventsSessionUnknown()
    if name == "cursor":
        return EventsInvalidCursor()
    return EventsFilterInvalid(name, _reason(name, value))


def _reason(name: str, value: object) -> str:
    if name != "max_wait_seconds":
        return _MUST_BE.get(name, "must be a string")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "must be greater than 0, and finite"
    return "must be a number"
