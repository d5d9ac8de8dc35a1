"""``events.*``: what agents' output said (legacy surfaces part 2, section 2)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from agenttower.domain.agent_events import AGENT_EVENT_TYPES
from agenttower.domain.events import EventType
from agenttower.protocol.declaration import Declaration, Gate, NoParams
from agenttower.protocol.managed_results import LifecycleEvent
from agenttower.protocol.refs import one_of
from agenttower.protocol.values import AgentId, AttachmentId, Count, Time

AgentEventType = Annotated[str, Meta(extra_json_schema={"enum": list(AGENT_EVENT_TYPES)})]
Target = Annotated[str | None, Meta(description="only of this agent: its id")]
Types = Annotated[
    list[
        Annotated[
            str,
            Meta(extra_json_schema={"enum": [*AGENT_EVENT_TYPES, *(e.value for e in EventType)]}),
        ]
    ]
    | None,
    Meta(description="only these; managed types are shown only where they are named"),
]
Since = Annotated[str | None, Meta(description="observed then or later: RFC 3339 with an offset")]
Until = Annotated[str | None, Meta(description="observed earlier than then")]
SessionId = Annotated[str, Meta(min_length=1, description="the handle of `events.follow_open`")]


class ListEvents(msgspec.Struct, frozen=True):
    """``events.list``."""

    target: Target = None
    types: Types = None
    since: Since = None
    until: Until = None
    limit: Annotated[
        int | None,
        Meta(description="1 to 50; 50 where it is left out"),
    ] = None
    cursor: Annotated[str | None, Meta(description="`next_cursor` of the page before")] = None
    reverse: Annotated[bool, Meta(description="newest first")] = False


class FollowOpen(msgspec.Struct, frozen=True):
    """``events.follow_open``."""

    target: Target = None
    types: Types = None
    since: Annotated[str | None, Meta(description="also what was observed since then")] = None


class FollowNext(msgspec.Struct, frozen=True):
    """``events.follow_next``."""

    session_id: SessionId
    max_wait_seconds: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(description="30 at most, and where it is left out"),
    ] = None


class FollowClose(msgspec.Struct, frozen=True):
    """``events.follow_close``."""

    session_id: SessionId


class Debounce(msgspec.Struct, frozen=True):
    """How many records of output an event stands for."""

    window_id: str | None
    collapsed_count: Annotated[int, Meta(ge=1)]
    window_started_at: Time | None
    window_ended_at: Time | None


class AgentEvent(msgspec.Struct, frozen=True):
    """An event that was read from an agent's output (section 1.10)."""

    event_id: Annotated[int, Meta(ge=1)]
    event_type: AgentEventType
    agent_id: AgentId
    attachment_id: AttachmentId
    log_path: str
    byte_range_start: Count
    byte_range_end: Count
    line_offset_start: Count
    line_offset_end: Count
    observed_at: Time
    record_at: None
    excerpt: Annotated[str, Meta(description="redacted")]
    classifier_rule_id: str
    debounce: Debounce
    schema_version: Literal[1]


AnyEvent = Annotated[dict[str, Any], one_of(AgentEvent, LifecycleEvent)]
"""A managed one only where its type was asked for."""


class Events(msgspec.Struct, frozen=True):
    """A page, by when and where the events were seen."""

    events: list[AnyEvent]
    next_cursor: str | None


class Following(msgspec.Struct, frozen=True):
    """A session; what comes from here on is live."""

    session_id: str
    live_starting_event_id: Count
    backlog_events: Annotated[
        list[AnyEvent] | UnsetType, Meta(description="only where `since` was given")
    ] = UNSET
    backlog_truncated: Annotated[
        bool | UnsetType, Meta(description="there are earlier ones; additive")
    ] = UNSET


class Followed(msgspec.Struct, frozen=True):
    """What has come since the last call, in the order in which it was written."""

    events: list[AnyEvent]
    session_open: bool


class Closed(msgspec.Struct, frozen=True):
    """The session is over."""


class ClassifierRule(msgspec.Struct, frozen=True):
    """A rule that output is read by; its pattern is not shown."""

    rule_id: str
    event_type: AgentEventType
    priority: int


class ClassifierRules(msgspec.Struct, frozen=True):
    """By priority; operators' own rules are among them."""

    rules: list[ClassifierRule]
    synthetic_rule_ids: list[str]


_FILTERS = ("events_filter_invalid", "agent_not_found")

LIST = Declaration(
    name="events.list",
    summary="What agents' output said, a page at a time.",
    gate=Gate.KNOWN,
    params=ListEvents,
    result=Events,
    errors=(*_FILTERS, "events_invalid_cursor"),
)
FOLLOW_OPEN = Declaration(
    name="events.follow_open",
    summary="Begin to follow what agents' output says.",
    gate=Gate.KNOWN,
    params=FollowOpen,
    result=Following,
    errors=_FILTERS,
)
FOLLOW_NEXT = Declaration(
    name="events.follow_next",
    summary="What has come since, as soon as there is anything.",
    gate=Gate.KNOWN,
    params=FollowNext,
    result=Followed,
    errors=("events_filter_invalid", "events_session_unknown", "events_session_expired"),
)
FOLLOW_CLOSE = Declaration(
    name="events.follow_close",
    summary="Stop following.",
    gate=Gate.KNOWN,
    params=FollowClose,
    result=Closed,
    errors=("events_session_unknown",),
)
CLASSIFIER_RULES = Declaration(
    name="events.classifier_rules",
    summary="The rules that output is read by.",
    gate=Gate.KNOWN,
    params=NoParams,
    result=ClassifierRules,
)
