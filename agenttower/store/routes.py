"""Named queries on routes: their rows, their cursors, and how far they lag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from peewee import fn

from agenttower.clock import Micros
from agenttower.domain.route_decision import concerns
from agenttower.domain.route_rules import Rule
from agenttower.store.models import Event, Route
from agenttower.store.models.base import execute
from agenttower.store.routing import registry


@dataclass(frozen=True, slots=True)
class RouteRecord:
    """A row of ``route``."""

    route_id: str
    event_type: str
    source_scope_kind: str
    source_scope_value: str | None
    target_rule: str
    target_value: str | None
    master_rule: str
    master_value: str | None
    template: str
    enabled: bool
    last_consumed_event_id: int
    events_consumed: int
    last_cycle_at: Micros | None
    last_skip_reason: str | None
    last_skip_at: Micros | None
    created_at: Micros
    updated_at: Micros
    created_by_agent_id: str | None
    container_id: str | None

    @property
    def rule(self) -> Rule:
        """What the route says."""
        return Rule(**{field.name: getattr(self, field.name) for field in fields(Rule)})


_COLUMNS = tuple(field.name for field in fields(RouteRecord))
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM route"


def newest_event_id() -> int:
    """The id of the newest event of any kind; 0 where there is none."""
    return int(Event.select(fn.MAX(Event.id)).scalar() or 0)


def add(route: RouteRecord) -> None:
    """Write a new route, in the caller's transaction."""
    Route.insert(**{column: getattr(route, column) for column in _COLUMNS}).execute()


def count(scope: str | None) -> int:
    """How many routes there are, or how many a bench has made."""
    query = Route.select() if scope is None else Route.select().where(Route.container_id == scope)
    return int(query.count())


def counts() -> tuple[int, int]:
    """How many routes there are, and how many of them are enabled."""
    row = execute("SELECT COUNT(*), COUNT(CASE WHEN enabled THEN 1 END) FROM route").fetchone()
    return int(row[0]), int(row[1])


def by_id(route_id: str) -> RouteRecord | None:
    """The route, or ``None``."""
    row = execute(f"{_SELECT} WHERE route_id = ?", (route_id,)).fetchone()
    return None if row is None else of_row(row)


def listing(*, enabled_only: bool = False, scope: str | None = None) -> list[RouteRecord]:
    """Routes in the order in which they were made.

    :param scope: only those that were made in this bench.
    """
    query = Route.select().order_by(Route.created_at, Route.route_id)
    if enabled_only:
        query = query.where(Route.enabled)
    if scope is not None:
        query = query.where(Route.container_id == scope)
    return [_record(row) for row in query]


def with_work() -> list[RouteRecord]:
    """Enabled routes with an event of their type behind their cursor, in their order."""
    rows = execute(
        f"{_SELECT} WHERE enabled AND EXISTS (SELECT 1 FROM event"
        " WHERE kind = 'agent' AND event.event_type = route.event_type"
        " AND event.id > route.last_consumed_event_id) ORDER BY created_at, route_id"
    ).fetchall()
    return [of_row(row) for row in rows]


def naming(agent_id: str) -> list[RouteRecord]:
    """The routes that name this very agent as source, target or master."""
    query = (
        Route.select()
        .where(
            ((Route.source_scope_kind == "agent_id") & (Route.source_scope_value == agent_id))
            | ((Route.target_rule == "explicit") & (Route.target_value == agent_id))
            | ((Route.master_rule == "explicit") & (Route.master_value == agent_id))
        )
        .order_by(Route.created_at, Route.route_id)
    )
    return [_record(row) for row in query]


def set_enabled(
    route: RouteRecord, enabled: bool, last_cycle_at: Micros | None, now: Micros
) -> None:
    """Flip a route, in the caller's transaction; its cursor stays where it is."""
    Route.update(enabled=enabled, last_cycle_at=last_cycle_at, updated_at=now).where(
        Route.route_id == route.route_id
    ).execute()


def remove(route_id: str) -> None:
    """Delete a route, in the caller's transaction. Its prompts and lines keep its id."""
    Route.delete().where(Route.route_id == route_id).execute()


def advance(
    route_id: str, passed: int, expected: int, to: int, skipped: tuple[str, Micros] | None = None
) -> bool:
    """Move a cursor over ``passed`` events, in the caller's transaction.

    :param expected: where the cursor stood when the events behind it were read.
    :param skipped: reason and time of a skip.
    :return: ``False``, with nothing written, where it stands elsewhere or the route is gone.
    """
    reason, at = skipped or (None, None)
    changed: int = execute(
        "UPDATE route SET last_consumed_event_id = ?, events_consumed = events_consumed + ?,"
        " last_skip_reason = COALESCE(?, last_skip_reason),"
        " last_skip_at = COALESCE(?, last_skip_at)"
        " WHERE route_id = ? AND last_consumed_event_id = ? AND enabled AND ? > ?",
        (to, passed, reason, at, route_id, expected, to, expected),
    ).rowcount
    return changed == 1


def lag(route: RouteRecord) -> int:
    """How many events wait behind the cursor that the route heeds; its index answers."""
    rows = execute(
        "SELECT agent_id, COUNT(*) FROM event WHERE kind = 'agent' AND event_type = ? AND id > ?"
        " GROUP BY agent_id",
        (route.event_type, route.last_consumed_event_id),
    ).fetchall()
    if not rows:
        return 0
    agents = registry({agent_id for agent_id, _ in rows}, scope=route.container_id)
    return sum(
        waiting
        for agent_id, waiting in rows
        if concerns(route.rule, agent_id, agents.by_id(agent_id))
        and (route.container_id is None or agents.by_id(agent_id) is not None)
    )


def of_row(row: Sequence[Any]) -> RouteRecord:
    """The record of a row of all columns, in their order."""
    route = RouteRecord(*row)
    return replace(route, enabled=bool(route.enabled))


def _record(row: Route) -> RouteRecord:
    return RouteRecord(**{column: getattr(row, column) for column in _COLUMNS})
