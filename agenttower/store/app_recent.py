"""The newest rows of what ``app.*`` lists (app surface, section 11.6)."""

from __future__ import annotations

from dataclasses import dataclass

from agenttower.clock import Micros
from agenttower.store.models.base import execute


@dataclass(frozen=True, slots=True)
class RecentEvent:
    event_id: int
    kind: str
    event_type: str
    agent_id: str | None
    observed_at: Micros


@dataclass(frozen=True, slots=True)
class RecentPrompt:
    message_id: str
    enqueued_at: Micros
    origin: str
    state: str
    reason: str | None
    """Why it is blocked, or has failed."""
    sender_label: str
    target_agent_id: str
    target_label: str


@dataclass(frozen=True, slots=True)
class RecentRoute:
    route_id: str
    created_at: Micros
    enabled: bool
    event_type: str
    target_rule: str
    target_value: str | None


def events(limit: int) -> list[RecentEvent]:
    """Events of agents and of managed panes, by id."""
    rows = execute(
        "SELECT id, kind, event_type, agent_id, created_at FROM event"
        " WHERE kind IN ('agent', 'managed') ORDER BY id DESC LIMIT ?",
        (limit,),
    ).fetchall()
    return [RecentEvent(*row) for row in rows]


def prompts(limit: int) -> list[RecentPrompt]:
    """Prompts, by when they were enqueued."""
    rows = execute(
        "SELECT message_id, enqueued_at, origin, state, COALESCE(block_reason, failure_reason),"
        " sender_label, target_agent_id, target_label FROM prompt"
        " ORDER BY enqueued_at DESC, id DESC LIMIT ?",
        (limit,),
    ).fetchall()
    return [RecentPrompt(*row) for row in rows]


def routes(limit: int) -> list[RecentRoute]:
    """Routes, by when they were made."""
    rows = execute(
        "SELECT route_id, created_at, enabled, event_type, target_rule, target_value FROM route"
        " ORDER BY created_at DESC, route_id DESC LIMIT ?",
        (limit,),
    ).fetchall()
    return [RecentRoute(row[0], row[1], bool(row[2]), *row[3:]) for row in rows]
