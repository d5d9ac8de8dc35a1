"""Events as ``app.event.*`` shows them: those of agents, and the lifecycle of managed sessions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agenttower.clock import Micros
from agenttower.domain.agent_events import AGENT_EVENT_TYPES
from agenttower.domain.list_filters import before, not_before
from agenttower.store.listing.pages import Condition, Line, Listing, equal


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event of an agent or of a managed session, without its payload."""

    id: int
    event_type: str
    agent_id: str | None
    """``None`` for what concerns a layout as a whole."""
    observed_at: Micros
    excerpt: str
    rule_id: str


def _record(row: Sequence[Any]) -> EventRow:
    """An excerpt was redacted before it was stored."""
    event_id, event_type, agent_id, observed_at, kind, payload = row
    told = json.loads(payload) if kind == "agent" else {}
    return EventRow(
        event_id,
        event_type,
        agent_id,
        observed_at,
        str(told.get("excerpt", "")),
        str(told.get("classifier_rule_id", "")),
    )


def _of_type(event_type: str) -> Condition:
    """The type tells the kind, and each kind has an index of its own by type."""
    kind = "agent" if event_type in AGENT_EVENT_TYPES else "managed"
    return f"event.kind = '{kind}' AND event.event_type = ?", (event_type,)


LISTING = Listing(
    table="event",
    source="event",
    columns="event.id, event.event_type, event.agent_id, event.created_at, event.kind,"
    " event.payload",
    record=_record,
    lines={
        "event_id": Line(("event.id",), (int,)),
        "observed_at": Line(("event.created_at", "event.id"), (int, int)),
    },
    filters={
        "event_type": _of_type,
        "agent_id": equal("event.agent_id"),
        "since": lambda millis: ("event.created_at >= ?", (not_before(millis),)),
        "until": lambda millis: ("event.created_at < ?", (before(millis),)),
    },
    always="event.kind IN ('agent', 'managed')",
)
"""``always`` is written as in the indexes, or they are not used."""


def by_id(event_id: int) -> EventRow | None:
    """The event of this id; ``None`` too where it is an audit line."""
    return LISTING.first("event.id = ?", event_id)
