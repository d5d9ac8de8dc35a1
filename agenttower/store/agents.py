"""Named queries on agents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agenttower.clock import Micros
from agenttower.store.models import Agent
from agenttower.store.models.base import execute
from agenttower.store.panes import PANE_KEY


@dataclass(frozen=True, slots=True)
class AgentRecord:
    """A row of ``agent`` with what its container and its pane add."""

    agent_id: str
    container_id: str
    container_name: str | None
    container_user: str | None
    tmux_socket_path: str
    tmux_session_name: str
    tmux_window_index: int
    tmux_pane_index: int
    tmux_pane_id: str
    pane_pid: int | None
    cwd: str | None
    role: str
    capability: str
    label: str
    project_path: str
    parent_agent_id: str | None
    origin: str
    created_at: Micros
    last_registered_at: Micros
    last_seen_at: Micros | None
    active: bool


def upsert(row: dict[str, object], now: Micros) -> None:
    """Register an agent on its pane, in the caller's transaction; repeating changes nothing.

    Another active agent on the same key belongs to a tmux server that is gone (``%N`` is never
    used twice while a server lives), so it becomes inactive.
    """
    same_pane = [getattr(Agent, column) == row[column] for column in PANE_KEY]
    Agent.update(active=False).where(
        *same_pane, Agent.active, Agent.agent_id != row["agent_id"]
    ).execute()
    (
        Agent.insert(**row, active=True, created_at=now, last_registered_at=now)
        .on_conflict(
            conflict_target=[Agent.agent_id],
            update={"last_registered_at": now, "active": True},
        )
        .execute()
    )


def deactivate(agent_id: str) -> None:
    """The agent's pane is gone, in the caller's transaction."""
    Agent.update(active=False).where(Agent.agent_id == agent_id).execute()


def by_id(agent_id: str) -> AgentRecord | None:
    """The agent of this id, active or not."""
    row = execute(f"{_SELECT} WHERE agent.agent_id = ?", (agent_id,)).fetchone()
    return None if row is None else _record(row)


def listing(
    *,
    roles: Sequence[str] | None,
    container_id: str | None,
    active_only: bool,
    parent_agent_id: str | None,
) -> list[AgentRecord]:
    """Agents by the filters of legacy section 8.4, in its order; a short id is a prefix."""
    wanted: list[tuple[str, Sequence[object]]] = []
    if roles:
        wanted.append((f"agent.role IN ({', '.join('?' for _ in roles)})", roles))
    if container_id is not None:
        same = "SUBSTR(agent.container_id, 1, ?) = ?"
        wanted.append((same, (len(container_id), container_id)))
    if active_only:
        wanted.append(("agent.active", ()))
    if parent_agent_id is not None:
        wanted.append(("agent.parent_agent_id = ?", (parent_agent_id,)))
    where = f" WHERE {' AND '.join(clause for clause, _ in wanted)}" if wanted else ""
    rows = execute(
        f"{_SELECT}{where} ORDER BY agent.active DESC, agent.container_id,"
        " agent.parent_agent_id IS NOT NULL, agent.parent_agent_id, agent.label, agent.agent_id",
        [value for _, values in wanted for value in values],
    ).fetchall()
    return [_record(row) for row in rows]


_LOOKED_UP = ("container_name", "container_user", "pane_pid", "cwd")
_OWN = tuple(name for name in AgentRecord.__slots__ if name not in _LOOKED_UP)
_SAME_PANE = " AND ".join(f"agent.{column} = pane.{column}" for column in PANE_KEY)
_SELECT = (
    f"SELECT {', '.join(f'agent.{name}' for name in _OWN)}, agent.pane_pid, agent.cwd,"
    " container.name, container.config_user,"
    " pane.container_user, pane.pane_pid, pane.pane_current_path"
    " FROM agent LEFT JOIN container ON container.id = agent.container_id"
    f" LEFT JOIN pane ON {_SAME_PANE}"
    " AND COALESCE(agent.tmux_server, pane.tmux_server) = pane.tmux_server"
)
"""Agents with their container and, as the last scan saw it, the pane they were bound to."""


def _record(row: Sequence[Any]) -> AgentRecord:
    own = dict(zip(_OWN, row, strict=False))
    pane_pid, cwd, container_name, configured, user, found_pid, found_path = row[len(_OWN) :]
    found = user is not None
    return AgentRecord(
        **own | {"active": bool(own["active"])},
        container_name=container_name,
        container_user=(user if found else (configured or "").partition(":")[0]) or None,
        pane_pid=found_pid if found else pane_pid,
        cwd=found_path if found else cwd,
    )
