"""Events of agents: writing them, and reading them back as clients see them.

In a row of ``event`` ``created_at`` is when the event was observed and ``byte_start`` where in the
log; everything else is in the payload.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agenttower.clock import Micros, to_rfc3339, to_rfc3339_or_none
from agenttower.domain.agent_events import SCHEMA_VERSION, AgentEvent
from agenttower.store.models import Event
from agenttower.store.models.base import execute

_ROWS_AT_ONCE = 200
_COLUMNS = "kind, event_type, actor, container_id, payload, created_at, agent_id, byte_start"


@dataclass(frozen=True, slots=True)
class Source:
    """Whose output an event was seen in."""

    attachment_id: str
    agent_id: str
    container_id: str | None
    log_path: str


def insert(source: Source, events: Sequence[AgentEvent]) -> None:
    """Write events in the caller's transaction, in this order."""
    for start in range(0, len(events), _ROWS_AT_ONCE):
        part = events[start : start + _ROWS_AT_ONCE]
        values: list[object] = []
        for event in part:
            values += (
                "agent",
                event.event_type,
                "daemon",
                source.container_id,
                _payload(source, event),
                event.observed_at,
                source.agent_id,
                event.byte_start,
            )
        marks = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?)"] * len(part))
        execute(f"INSERT INTO event ({_COLUMNS}) VALUES {marks}", values)


def _payload(source: Source, event: AgentEvent) -> str:
    window = event.window
    return json.dumps(
        {
            "attachment_id": source.attachment_id,
            "log_path": source.log_path,
            "byte_range_end": event.byte_end,
            "line_offset_start": event.line_start,
            "line_offset_end": event.line_end,
            "excerpt": event.excerpt,
            "classifier_rule_id": event.rule_id,
            "debounce": {
                "window_id": window and window.window_id,
                "collapsed_count": window.count if window else 1,
                "window_started_at": window and window.started_at,
                "window_ended_at": event.observed_at if window else None,
            },
            "schema_version": SCHEMA_VERSION,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


def event_object(row: Event) -> dict[str, Any]:
    """The event as ``events.*`` and ``events.jsonl`` show it (section 1.10), no other members."""
    payload = json.loads(row.payload)
    debounce = payload["debounce"]
    return {
        "event_id": row.id,
        "event_type": row.event_type,
        "agent_id": row.agent_id,
        "attachment_id": payload["attachment_id"],
        "log_path": payload["log_path"],
        "byte_range_start": row.byte_start,
        "byte_range_end": payload["byte_range_end"],
        "line_offset_start": payload["line_offset_start"],
        "line_offset_end": payload["line_offset_end"],
        "observed_at": to_rfc3339(row.created_at),
        "record_at": None,
        "excerpt": payload["excerpt"],
        "classifier_rule_id": payload["classifier_rule_id"],
        "debounce": debounce
        | {
            name: to_rfc3339_or_none(debounce[name])
            for name in ("window_started_at", "window_ended_at")
        },
        "schema_version": payload["schema_version"],
    }


def latest_type(agent_id: str, since: Micros) -> str | None:
    """The type of the agent's latest event, of those observed since then."""
    row = execute(
        "SELECT event_type, created_at FROM event WHERE agent_id = ? AND kind = 'agent'"
        " ORDER BY id DESC LIMIT 1",
        (agent_id,),
    ).fetchone()
    return None if row is None or row[1] < since else str(row[0])


def was_told(agent_id: str, event_type: str, since: Micros) -> bool:
    """Whether the agent has had an event of this type since then."""
    row = execute(
        "SELECT 1 FROM event WHERE agent_id = ? AND kind = 'agent' AND event_type = ?"
        " AND created_at >= ? LIMIT 1",
        (agent_id, event_type, since),
    ).fetchone()
    return row is not None
