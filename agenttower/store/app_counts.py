"""How much there is of what ``app.*`` lists: the questions of the dashboard (app surface, 11.2).

What the words mean is said in :mod:`agenttower.store.app_state`, once for lists and counts. Each
question is one statement, so that its numbers agree among themselves.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from agenttower.clock import Micros
from agenttower.domain.buckets import (
    AgentBucket,
    AgentFacts,
    ContainerState,
    LogBucket,
    PaneBucket,
    PaneFacts,
    agent_bucket,
    known_role,
    log_bucket,
    pane_bucket,
)
from agenttower.domain.permissions import Role
from agenttower.store.app_state import ATTACHED, CONTAINER_STATE, PANE_IS_STALE, RESIDENTS
from agenttower.store.models.base import execute

RUNNING = (ContainerState.ACTIVE, ContainerState.DEGRADED_SCAN)
"""States in which a container need not be started."""

_REGISTERED = f"SELECT pane FROM ({RESIDENTS})"


@dataclass(frozen=True, slots=True)
class PaneCount:
    """All stored panes."""

    total: int
    registered: int
    buckets: Counter[PaneBucket]


@dataclass(frozen=True, slots=True)
class AgentCount:
    """All stored agents."""

    total: int
    roles: Counter[Role]
    buckets: Counter[AgentBucket]
    logs: Counter[LogBucket]


def containers() -> Counter[ContainerState]:
    """Stored containers by state."""
    rows = execute(f"SELECT {CONTAINER_STATE}, COUNT(*) FROM container GROUP BY 1").fetchall()
    return Counter({ContainerState(state): count for state, count in rows})


def first_active_container() -> str | None:
    """The first of the list, of those that are active."""
    return _first(
        f"SELECT id FROM container WHERE {CONTAINER_STATE} = 'active' ORDER BY name, id LIMIT 1"
    )


def panes() -> PaneCount:
    """Stored panes whose container is known, live or not."""
    rows = execute(
        f"SELECT {CONTAINER_STATE}, pane.active, {PANE_IS_STALE}, pane.id IN ({_REGISTERED}),"
        " COUNT(*) FROM pane JOIN container ON container.id = pane.container_id"
        " GROUP BY 1, 2, 3, 4"
    ).fetchall()
    count = PaneCount(sum(row[-1] for row in rows), 0, Counter())
    registered = 0
    for state, active, stale, resident, number in rows:
        facts = PaneFacts(ContainerState(state), bool(active), bool(stale), bool(resident))
        count.buckets[pane_bucket(facts)] += number
        registered += number if resident else 0
    return PaneCount(count.total, registered, count.buckets)


def first_adoptable_pane() -> str | None:
    """The tmux id of the first pane of the list that could be adopted now."""
    return _first(
        "SELECT pane.tmux_pane_id FROM pane JOIN container ON container.id = pane.container_id"
        f" WHERE {CONTAINER_STATE} = 'active' AND NOT {PANE_IS_STALE}"
        f" AND pane.id NOT IN ({_REGISTERED})"
        " ORDER BY container.name, container.id, pane.tmux_session_name, pane.tmux_window_index,"
        " pane.tmux_pane_index, pane.id LIMIT 1"
    )


def agents() -> AgentCount:
    """Stored agents, those included whose pane has gone."""
    rows = execute(
        f"SELECT {CONTAINER_STATE}, container.id IS NOT NULL, agent.active, agent.role,"
        " CASE WHEN TRIM(agent.capability) IN ('', 'unknown') THEN '' ELSE 'x' END,"
        " CASE WHEN TRIM(agent.label) IN ('', 'unknown') THEN '' ELSE 'x' END,"
        f" agent.agent_id IN ({ATTACHED}), COUNT(*)"
        " FROM agent LEFT JOIN container ON container.id = agent.container_id"
        " GROUP BY 1, 2, 3, 4, 5, 6, 7"
    ).fetchall()
    count = AgentCount(sum(row[-1] for row in rows), Counter(), Counter(), Counter())
    for state, known, active, role, capability, label, attached, number in rows:
        container = ContainerState(state) if known else None
        facts = AgentFacts(container, bool(active), role, capability, label, bool(attached))
        count.roles[known_role(role)] += number
        count.buckets[agent_bucket(facts)] += number
        count.logs[log_bucket(facts)] += number
    return count


def some_panes() -> int:
    """1 where a pane is stored, else 0."""
    return _count("SELECT COUNT(*) FROM (SELECT 1 FROM pane LIMIT 1) AS some")


def some_agents() -> int:
    """1 where an agent is stored, else 0."""
    return _count("SELECT COUNT(*) FROM (SELECT 1 FROM agent LIMIT 1) AS some")


def attachments() -> tuple[int, int]:
    """How many log attachments are active, and how many are stale."""
    rows = execute(
        "SELECT status, COUNT(*) FROM log_attachment WHERE status IN ('active', 'stale')"
        " GROUP BY status"
    ).fetchall()
    counts = dict(rows)
    return counts.get("active", 0), counts.get("stale", 0)


def events() -> int:
    """Stored events of agents and of managed panes; lines of audit are none."""
    # Both in one question would have SQLite look at every row.
    return _count(
        "SELECT (SELECT COUNT(*) FROM event WHERE kind = 'agent')"
        " + (SELECT COUNT(*) FROM event WHERE kind = 'managed')"
    )


def prompts() -> dict[str, int]:
    """Stored prompts by state."""
    return dict(execute("SELECT state, COUNT(*) FROM prompt GROUP BY state").fetchall())


def oldest_blocked() -> str | None:
    """The blocked prompt that was enqueued first."""
    return _first(
        "SELECT message_id FROM prompt WHERE state = 'blocked'"
        " ORDER BY enqueued_at, message_id LIMIT 1"
    )


def route_skips(after: Micros, upto: Micros) -> int:
    """How many events routes were to heed and skipped, ``after`` excluded and ``upto`` included."""
    return _count(
        "SELECT COUNT(*) FROM event WHERE kind = 'route' AND event_type = 'route_skipped'"
        f" AND created_at > {int(after)} AND created_at <= {int(upto)}"
    )


def _count(sql: str) -> int:
    return int(execute(sql).fetchone()[0])


def _first(sql: str) -> str | None:
    row = execute(sql).fetchone()
    return None if row is None else str(row[0])
