"""What routing reads besides routes, and the lines in which it tells what it did."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from agenttower.clock import Micros, to_millis, to_rfc3339
from agenttower.domain.route_decision import AgentFacts, EventFacts, Registry
from agenttower.store.models import Event
from agenttower.store.models.base import execute

HEARTBEAT = "routing_worker_heartbeat"


def events_after(event_type: str, cursor: int, limit: int) -> list[EventFacts]:
    """The next events of a type, the oldest first."""
    query = (
        Event.select()
        .where(Event.kind == "agent", Event.event_type == event_type, Event.id > cursor)
        .order_by(Event.id)
        .limit(limit)
    )
    return [_facts(row) for row in query]


def event(event_id: int) -> EventFacts | None:
    """An event that was read from output; ``None`` for others."""
    row = Event.get_or_none(Event.id == event_id, Event.kind == "agent")
    return None if row is None else _facts(row)


def registry(named: Collection[str], scope: str | None = None) -> Registry:
    """The active agents, and those of these ids, active or not.

    :param scope: the only container whose agents count; ``None`` for all.
    """
    names = sorted(named)
    marks = ", ".join("?" for _ in names)
    within = "" if scope is None else " AND container_id = ?"
    rows = execute(
        "SELECT agent_id, label, role, capability, active, container_id FROM agent"
        f" WHERE (active OR agent_id IN ({marks})){within}",
        names if scope is None else [*names, scope],
    ).fetchall()
    return Registry(
        AgentFacts(agent_id, label, role, capability, bool(active), container_id)
        for agent_id, label, role, capability, active, container_id in rows
    )


def has_prompt(route_id: str, event_id: int) -> bool:
    """Whether this event has become a prompt by this route already."""
    return (
        execute(
            "SELECT 1 FROM prompt WHERE origin = 'route' AND route_id = ? AND event_id = ?",
            (route_id, event_id),
        ).fetchone()
        is not None
    )


def prompted_at(route_id: str, back: int) -> Micros | None:
    """When the route made its last prompt but ``back``; ``None`` where it has not made so many."""
    row = execute(
        "SELECT enqueued_at FROM prompt WHERE origin = 'route' AND route_id = ?"
        " ORDER BY event_id DESC LIMIT 1 OFFSET ?",
        (route_id, back),
    ).fetchone()
    return None if row is None else int(row[0])


def append_line(
    event_type: str, members: Mapping[str, object], now: Micros, *, actor: str = "daemon"
) -> int:
    """Write a line of kind ``route`` into the outbox, in the caller's transaction.

    :param members: what the line says beyond ``event_type`` and ``emitted_at`` (section 12).
    """
    line = {"event_type": event_type, **members, "emitted_at": to_millis(now)}
    written = execute(
        "INSERT INTO event (kind, event_type, actor, payload, created_at)"
        " VALUES ('route', ?, ?, ?, ?) RETURNING id",
        (event_type, actor, json.dumps(line, ensure_ascii=False), now),
    ).fetchone()
    return int(written[0])


def prune_heartbeats(newest: int) -> int:
    """Delete heartbeats that the relay has written out, so that an idle tower does not grow.

    :param newest: the row that stays in any case: ids are not given out again while a later one
        stands, and cursors and the relay count on that.
    :return: how many rows went.
    """
    removed: int = execute(
        f"DELETE FROM event WHERE event_type = '{HEARTBEAT}' AND id < ?"
        " AND id <= (SELECT last_event_id FROM relay_position)",
        (newest,),
    ).rowcount
    return removed


def _facts(row: Event) -> EventFacts:
    assert row.agent_id is not None, "every event of this kind has its agent"
    return EventFacts(
        event_id=row.id,
        event_type=row.event_type,
        agent_id=row.agent_id,
        container_id=row.container_id,
        excerpt=json.loads(row.payload).get("excerpt") or "",
        observed_at=to_rfc3339(row.created_at),
    )
