"""Counts and oldest rows for ``status``: each a question that an index answers."""

from __future__ import annotations

from dataclasses import dataclass

from agenttower.clock import Micros
from agenttower.store.models.base import execute


@dataclass(frozen=True, slots=True)
class BenchCount:
    """A bench that is there, or that should be since something of ours is in it."""

    container_id: str
    name: str
    status: str
    active: bool
    last_scanned_at: Micros
    agents: int
    """Active ones."""
    layouts: int
    """Those that are not removed."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """Events that are not in ``events.jsonl`` yet."""

    pending: int
    oldest_at: Micros | None
    queue_lines: int
    oldest_queue_line_at: Micros | None
    route_lines: int
    oldest_route_line_at: Micros | None


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """Prompts that have no end yet."""

    queued: int
    in_flight: int
    blocked: dict[str, int]
    """By reason."""
    oldest_queued_at: Micros | None


@dataclass(frozen=True, slots=True)
class Scan:
    """The last scan of a kind."""

    status: str
    completed_at: Micros
    error: str | None


def benches() -> list[BenchCount]:
    """Active benches, and inactive ones with layouts that are not removed; by name."""
    rows = execute(
        "SELECT id, name, status, active, last_scanned_at,"
        " (SELECT COUNT(*) FROM agent WHERE agent.container_id = container.id AND agent.active),"
        " (SELECT COUNT(*) FROM managed_layout AS l"
        "  WHERE l.container_id = container.id AND l.state <> 'removed') AS layouts"
        " FROM container WHERE active OR layouts > 0 ORDER BY name, id"
    ).fetchall()
    return [
        BenchCount(container_id, name, status, bool(active), scanned, agents, held)
        for container_id, name, status, active, scanned, agents, held in rows
    ]


def inactive_benches() -> int:
    """How many benches have been seen and are not there now."""
    return int(execute("SELECT COUNT(*) FROM container WHERE NOT active").fetchone()[0])


def backlog() -> Backlog:
    """What the relay has still to write."""
    row = execute(
        "SELECT COUNT(*), MIN(created_at),"
        " COUNT(CASE WHEN kind = 'queue' THEN 1 END),"
        " MIN(CASE WHEN kind = 'queue' THEN created_at END),"
        " COUNT(CASE WHEN kind = 'route' THEN 1 END),"
        " MIN(CASE WHEN kind = 'route' THEN created_at END)"
        " FROM event WHERE id > COALESCE((SELECT last_event_id FROM relay_position), 0)"
    ).fetchone()
    return Backlog(*row)


def queue_depth() -> QueueDepth:
    """Open prompts by state."""
    rows = execute(
        "SELECT state, block_reason, COUNT(*), COUNT(delivery_attempt_started_at),"
        " MIN(CASE WHEN delivery_attempt_started_at IS NULL THEN enqueued_at END)"
        " FROM prompt WHERE state IN ('queued', 'blocked') GROUP BY state, block_reason"
    ).fetchall()
    queued = in_flight = 0
    oldest: Micros | None = None
    blocked: dict[str, int] = {}
    for state, reason, count, begun, first in rows:
        if state == "blocked":
            blocked[reason] = count
        else:
            queued, in_flight, oldest = count - begun, begun, first
    return QueueDepth(queued, in_flight, blocked, oldest)


def last_scan(table: str) -> Scan | None:
    """The newest row of ``container_scan`` or ``pane_scan``; ``None`` where none was made."""
    row = execute(
        f"SELECT status, completed_at, error_message FROM {table}"
        " ORDER BY completed_at DESC LIMIT 1"
    ).fetchone()
    return None if row is None else Scan(*row)


def last_heartbeat() -> Micros | None:
    """When the routing worker last wrote its heartbeat."""
    row = execute(
        "SELECT MAX(created_at) FROM event WHERE event_type = 'routing_worker_heartbeat'"
    ).fetchone()
    return None if row[0] is None else int(row[0])


def newest_worker_beat() -> Micros | None:
    """When any worker was last heard of."""
    row = execute("SELECT MAX(heartbeat_at) FROM worker").fetchone()
    return None if row[0] is None else int(row[0])
