"""Events as ``app.event.*`` shows them: those of agents, and the lifecycle of managed sessions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agenttower.clock import Micros
from agenttower.store.models.base import execute

LISTED = "kind IN ('agent', 'managed')"
"""What is an event here. Written as in the indexes, or they are not used."""


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


SELECT = "SELECT id, event_type, agent_id, created_at, kind, payload FROM event"


def by_id(event_id: int) -> EventRow | None:
    """The event of this id; ``None`` too where it is an audit line."""
    row = execute(f"{SELECT} WHERE id = ? AND {LISTED}", (event_id,)).fetchone()
    return None if row is None else record(row)


def record(row: Sequence[Any]) -> EventRow:
    """A row of :data:`SELECT`; an excerpt was redacted before it was stored."""
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
