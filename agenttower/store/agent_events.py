"""Events of agents: writing them, and reading them back as clients see them.

In a row of ``event`` ``created_at`` is when the event was observed and ``byte_start`` where in the
log; everything else is in the payload.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from peewee import ModelSelect, fn

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


# --- reading -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events are wanted; all parts must fit.

    ``managed_types`` are shown only where they are named, ``agent_types`` empty means all of them
    unless managed ones are named. ``since`` is inclusive, ``until`` exclusive, both by when an
    event was observed.
    """

    agent_id: str | None = None
    agent_types: tuple[str, ...] = ()
    managed_types: tuple[str, ...] = ()
    container_id: str | None = None
    since: Micros | None = None
    until: Micros | None = None


def page_by_time(
    wanted: EventFilter,
    *,
    behind: Event | None,
    reverse: bool,
    limit: int,
    up_to: int | None = None,
) -> list[Event]:
    """Events in the order of when and where they were seen (section 2.1).

    :param behind: the last event of the page before.
    :param up_to: the greatest id that counts.
    """
    place = fn.COALESCE(Event.byte_start, -1) if wanted.managed_types else Event.byte_start
    query = _matching(wanted)
    if up_to is not None:
        query = query.where(Event.id <= up_to)
    if behind is not None:
        seen = (behind.created_at, -1 if behind.byte_start is None else behind.byte_start)
        query = query.where(_beyond(place, (*seen, behind.id), reverse=reverse))
    order: list[Any] = [Event.created_at, place, Event.id]
    if reverse:
        order = [column.desc() for column in order]
    return list(query.order_by(*order).limit(limit))


def page_by_id(wanted: EventFilter, *, after: int, up_to: int, limit: int) -> list[Event]:
    """Events with a greater id than ``after``, in the order in which they were written (2.3)."""
    query = _matching(wanted).where(Event.id > after, Event.id <= up_to)
    return list(query.order_by(Event.id).limit(limit))


def one(event_id: int) -> Event | None:
    """The event of this id."""
    found: Event | None = Event.get_or_none(Event.id == event_id)
    return found


def latest_id() -> int:
    """The greatest id of any event; 0 where there is none."""
    row = execute("SELECT MAX(id) FROM event").fetchone()
    return int(row[0] or 0)


def _beyond(place: Any, key: tuple[int, int, int], *, reverse: bool) -> Any:
    observed_at, byte_start, event_id = key
    if reverse:
        later = (place < byte_start) | ((place == byte_start) & (Event.id < event_id))
        # The first half alone lets the database begin in the middle of its index.
        return (Event.created_at <= observed_at) & ((Event.created_at < observed_at) | later)
    later = (place > byte_start) | ((place == byte_start) & (Event.id > event_id))
    return (Event.created_at >= observed_at) & ((Event.created_at > observed_at) | later)


def _matching(wanted: EventFilter) -> ModelSelect[Any]:
    query = Event.select().where(_kinds(wanted))
    if wanted.agent_id is not None:
        query = query.where(Event.agent_id == wanted.agent_id)
    if wanted.container_id is not None:
        query = query.where(Event.container_id == wanted.container_id)
    if wanted.since is not None:
        query = query.where(Event.created_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(Event.created_at < wanted.until)
    return query


def _kinds(wanted: EventFilter) -> Any:
    agent = Event.kind == "agent"
    if wanted.agent_types:
        agent &= Event.event_type.in_(list(wanted.agent_types))
    if not wanted.managed_types:
        return agent
    managed = (Event.kind == "managed") & Event.event_type.in_(list(wanted.managed_types))
    return agent | managed if wanted.agent_types else managed
