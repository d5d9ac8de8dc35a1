"""``events.*``: what agents' output said (legacy surfaces part 2, section 2).

Every wrong filter is ``events_filter_invalid``, of whatever type it is; unknown parameters are
ignored, as in all legacy methods.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from agenttower.errors import EventsFilterInvalid, EventsSessionUnknown
from agenttower.rpc.method import Call, Gate, Method, Params, Pending, Result
from agenttower.rpc.schemas import NoParams, lenient
from agenttower.rpc.services import Services
from agenttower.services.agent_events import Asked


@dataclass(frozen=True, slots=True)
class ListPage:
    """Parameters of ``events.list``."""

    asked: Asked
    limit: int | None
    cursor: object
    reverse: bool


@dataclass(frozen=True, slots=True)
class FollowNext:
    """Parameters of ``events.follow_next``."""

    session_id: str
    max_wait_seconds: float | None


def event_methods(services: Services) -> dict[str, Method[Any]]:
    """The table of ``events.*`` over one set of services."""

    def list_page(call: Call[ListPage]) -> Result:
        wanted = call.params
        return services.agent_events.page(
            call.caller,
            wanted.asked,
            limit=wanted.limit,
            cursor=wanted.cursor,
            reverse=wanted.reverse,
        )

    def follow_open(call: Call[Asked]) -> Result:
        return services.agent_events.open(call.caller, call.params)

    def follow_next(call: Call[FollowNext]) -> Result | Pending:
        wanted = call.params
        answer = services.agent_events.next(call.caller, wanted.session_id, resumed=call.resumed)
        if call.final or answer["events"] or not answer["session_open"]:
            return answer
        longest = services.agent_events.longest_wait_s
        wait = longest if wanted.max_wait_seconds is None else wanted.max_wait_seconds
        return Pending(call.asked_at + min(wait, longest))

    def follow_close(call: Call[str]) -> Result:
        return services.agent_events.close(call.caller, call.params)

    def classifier_rules(_call: Call[NoParams]) -> Result:
        return services.agent_events.rules()

    return {
        "events.list": Method(_list_page, list_page, Gate.KNOWN),
        "events.follow_open": Method(_follow_open, follow_open, Gate.KNOWN),
        "events.follow_next": Method(_follow_next, follow_next, Gate.KNOWN),
        "events.follow_close": Method(_session_id, follow_close, Gate.KNOWN),
        "events.classifier_rules": Method(lenient(NoParams), classifier_rules, Gate.KNOWN),
    }


def _list_page(params: Params) -> ListPage:
    limit = params.get("limit")
    if limit is not None and type(limit) is not int:
        raise EventsFilterInvalid("limit", "must be a whole number")
    reverse = params.get("reverse", False)
    if not isinstance(reverse, bool):
        raise EventsFilterInvalid("reverse", "must be true or false")
    asked = Asked(
        target=_text(params, "target"),
        types=_types(params),
        since=_text(params, "since"),
        until=_text(params, "until"),
    )
    return ListPage(asked, limit, params.get("cursor"), reverse)


def _follow_open(params: Params) -> Asked:
    return Asked(target=_text(params, "target"), types=_types(params), since=_text(params, "since"))


def _follow_next(params: Params) -> FollowNext:
    return FollowNext(_session_id(params), _wait(params.get("max_wait_seconds")))


def _wait(value: object) -> float | None:
    """Seconds; a number beyond a float's range is as good as a day."""
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise EventsFilterInvalid("max_wait_seconds", "must be a number")
    if not 0 < value < math.inf:  # not a number is neither
        raise EventsFilterInvalid("max_wait_seconds", "must be greater than 0, and finite")
    return float(min(value, 86_400))


def _session_id(params: Params) -> str:
    session_id = params.get("session_id")
    if not isinstance(session_id, str) or not session_id:
        raise EventsSessionUnknown
    return session_id


def _text(params: Params, name: str) -> str | None:
    value = params.get(name)
    if value is not None and not isinstance(value, str):
        raise EventsFilterInvalid(name, "must be a string")
    return value


def _types(params: Params) -> tuple[str, ...]:
    value = params.get("types")
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise EventsFilterInvalid("types", "must be a list of event types")
    return tuple(value)
