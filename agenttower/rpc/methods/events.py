"""``events.*``: what agents' output said (legacy surfaces part 2, section 2).

Who waits for what comes next holds no thread.
"""

from __future__ import annotations

from typing import Any

from agenttower.protocol import events
from agenttower.protocol.declaration import NoParams
from agenttower.protocol.events import FollowClose, FollowNext, FollowOpen, ListEvents
from agenttower.rpc.method import Call, Method, Pending, Result, entry
from agenttower.rpc.schemas import lenient
from agenttower.rpc.schemas_events import filters
from agenttower.rpc.services import Services
from agenttower.services.agent_events import Asked


def event_methods(services: Services) -> dict[str, Method[Any]]:
    """The table of ``events.*`` over one set of services."""

    def list_page(call: Call[ListEvents]) -> Result:
        wanted = call.params
        return services.agent_events.page(
            call.caller,
            Asked(wanted.target, tuple(wanted.types or ()), wanted.since, wanted.until),
            limit=wanted.limit,
            cursor=wanted.cursor,
            reverse=wanted.reverse,
        )

    def follow_open(call: Call[FollowOpen]) -> Result:
        wanted = call.params
        asked = Asked(wanted.target, tuple(wanted.types or ()), wanted.since)
        return services.agent_events.open(call.caller, asked)

    def follow_next(call: Call[FollowNext]) -> Result | Pending:
        wanted = call.params
        answer = services.agent_events.next(call.caller, wanted.session_id, resumed=call.resumed)
        if call.final or answer["events"] or not answer["session_open"]:
            return answer
        longest = services.agent_events.longest_wait_s
        wait = longest if wanted.max_wait_seconds is None else wanted.max_wait_seconds
        return Pending(call.asked_at + min(wait, longest))

    def follow_close(call: Call[FollowClose]) -> Result:
        return services.agent_events.close(call.caller, call.params.session_id)

    def classifier_rules(_call: Call[NoParams]) -> Result:
        return services.agent_events.rules()

    return dict(
        (
            entry(events.LIST, filters, list_page),
            entry(events.FOLLOW_OPEN, filters, follow_open),
            entry(events.FOLLOW_NEXT, filters, follow_next),
            entry(events.FOLLOW_CLOSE, filters, follow_close),
            entry(events.CLASSIFIER_RULES, lenient, classifier_rules),
        )
    )
