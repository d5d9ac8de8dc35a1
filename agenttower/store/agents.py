"""Named queries on agents and log attachments."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from peewee import JOIN, ModelSelect, fn

from agenttower.clock import Micros
from agenttower.store.models import Agent, Container, LogAttachment, Pane


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


PANE_KEY = (
    "container_id",
    "tmux_socket_path",
    "tmux_session_name",
    "tmux_window_index",
    "tmux_pane_index",
    "tmux_pane_id",
)


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


def attach_log(agent_id: str, log_path: str, source: str, now: Micros) -> None:
    """Record that an agent's output goes into this file; repeating keeps the row that stands."""
    standing = LogAttachment.get_or_none(
        LogAttachment.agent_id == agent_id,
        LogAttachment.log_path == log_path,
        LogAttachment.status == "active",
    )
    if standing is None:
        LogAttachment.insert(
            attachment_id=f"lat_{uuid.uuid4().hex[:12]}",
            agent_id=agent_id,
            log_path=log_path,
            status="active",
            source=source,
            attached_at=now,
            last_status_at=now,
            created_at=now,
            via="pipe",
        ).execute()


def end_log(agent_id: str, status: str, now: Micros) -> None:
    """Move the agent's active log attachment to ``detached`` or ``stale``; the file is kept."""
    LogAttachment.update(status=status, last_status_at=now).where(
        LogAttachment.agent_id == agent_id, LogAttachment.status == "active"
    ).execute()


def by_id(agent_id: str) -> AgentRecord | None:
    """The agent of this id, active or not."""
    row = _joined().where(Agent.agent_id == agent_id).first()
    return None if row is None else _record(row)


def listing(
    *,
    roles: Sequence[str] | None,
    container_id: str | None,
    active_only: bool,
    parent_agent_id: str | None,
) -> list[AgentRecord]:
    """Agents by the filters of legacy section 8.4, in its order; a short id is a prefix."""
    query = _joined().order_by(
        Agent.active.desc(),
        Agent.container_id,
        Agent.parent_agent_id.asc(nulls="FIRST"),
        Agent.label,
        Agent.agent_id,
    )
    if roles:
        query = query.where(Agent.role.in_(list(roles)))
    if container_id is not None:
        query = query.where(fn.SUBSTR(Agent.container_id, 1, len(container_id)) == container_id)
    if active_only:
        query = query.where(Agent.active)
    if parent_agent_id is not None:
        query = query.where(Agent.parent_agent_id == parent_agent_id)
    return [_record(row) for row in query]


def _joined() -> ModelSelect[Any]:
    """Agents with their container and, as the last scan saw it, the pane they were bound to."""
    same_pane = fn.COALESCE(Agent.tmux_server, Pane.tmux_server) == Pane.tmux_server
    for column in PANE_KEY:
        same_pane &= getattr(Agent, column) == getattr(Pane, column)
    return (
        Agent.select(Agent, Container, Pane)
        .join(Container, JOIN.LEFT_OUTER, on=(Agent.container_id == Container.id), attr="container")
        .switch(Agent)
        .join(Pane, JOIN.LEFT_OUTER, on=same_pane, attr="pane")
    )


def _record(row: Agent) -> AgentRecord:
    container, pane = getattr(row, "container", None), getattr(row, "pane", None)
    configured = (container.config_user or "").partition(":")[0] if container else ""
    looked_up: dict[str, Any] = {
        "container_name": container.name if container else None,
        "container_user": (pane.container_user if pane else configured) or None,
        "pane_pid": pane.pane_pid if pane else row.pane_pid,
        "cwd": pane.pane_current_path if pane else row.cwd,
    }
    own = {name: getattr(row, name) for name in AgentRecord.__slots__ if name not in looked_up}
    return AgentRecord(**looked_up, **own)
