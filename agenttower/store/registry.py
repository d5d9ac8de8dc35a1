"""Named queries that write the agent registry, all in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from agenttower.clock import Micros
from agenttower.store.models import Agent, LogAttachment, ManagedPane
from agenttower.store.models.base import execute
from agenttower.store.panes import PANE_KEY, PaneKey


@dataclass(frozen=True, slots=True)
class Bound:
    """An adopted agent and the pane that it is bound to."""

    agent_id: str
    tmux_server: str | None
    key: PaneKey


@dataclass(frozen=True, slots=True)
class StaleLog:
    """A log attachment that ended with its pane."""

    attachment_id: str
    agent_id: str
    log_path: str
    source: str
    prior_pipe_target: str | None


def adopted_on(key: PaneKey) -> str | None:
    """The adopted agent of this pane, active or not: there is one at most, ever."""
    row = (
        Agent.select(Agent.agent_id)
        .where(*_on(key), Agent.origin == "adopted")
        .order_by(Agent.active.desc(), Agent.last_registered_at.desc())
        .first()
    )
    return None if row is None else str(row.agent_id)


def is_taken(agent_id: str) -> bool:
    """Whether an agent has this id, or a managed pane keeps it for its own."""
    return (
        Agent.select().where(Agent.agent_id == agent_id).exists()
        or ManagedPane.select().where(ManagedPane.reserved_agent_id == agent_id).exists()
    )


def insert(row: Mapping[str, object]) -> None:
    """Enter an agent.

    Another active agent on its pane belongs to a tmux server that is gone (``%N`` is never used
    twice while a server lives), so it becomes inactive.
    """
    _alone(str(row["agent_id"]), {name: row[name] for name in PANE_KEY})
    Agent.insert(**row).execute()


def update(agent_id: str, changes: Mapping[str, object]) -> None:
    """Change an agent; where that makes it active, no other one on its pane is."""
    if changes.get("active"):
        row = Agent.get_by_id(agent_id)
        _alone(agent_id, {name: getattr(row, name) for name in PANE_KEY})
    Agent.update(**changes).where(Agent.agent_id == agent_id).execute()


def adopted_in(container_ids: Collection[str]) -> list[Bound]:
    """The adopted agents of these containers that count as active, or whose output is captured."""
    marks = ", ".join("?" for _ in container_ids)
    rows = execute(
        f"SELECT agent_id, tmux_server, {', '.join(PANE_KEY)} FROM agent"
        f" WHERE container_id IN ({marks}) AND origin = 'adopted' AND (active OR agent_id IN"
        " (SELECT agent_id FROM log_attachment WHERE status = 'active'))",
        list(container_ids),
    ).fetchall()
    return [Bound(row[0], row[1], PaneKey(*row[2:])) for row in rows]


def managed_of(container_id: str, pane_ids: Collection[str]) -> list[str]:
    """The agents of these managed panes, as far as they are in that container."""
    query = ManagedPane.select(ManagedPane.reserved_agent_id).where(
        ManagedPane.pane_id.in_(list(pane_ids)), ManagedPane.container_id == container_id
    )
    return [str(row.reserved_agent_id) for row in query]


def mark_seen(agent_ids: Collection[str], at: Micros) -> None:
    """A scan saw the panes of these agents."""
    Agent.update(last_seen_at=at).where(Agent.active, Agent.agent_id.in_(list(agent_ids))).execute()


def deactivate(agent_id: str) -> None:
    """The agent's pane is gone."""
    Agent.update(active=False).where(Agent.agent_id == agent_id, Agent.active).execute()


def end_logs(agent_id: str, now: Micros) -> list[StaleLog]:
    """Move an agent's active log attachments to ``stale``; offsets and files are kept."""
    active = (LogAttachment.agent_id == agent_id) & (LogAttachment.status == "active")
    ended = [
        StaleLog(*(getattr(row, name) for name in StaleLog.__slots__))
        for row in LogAttachment.select().where(active)
    ]
    LogAttachment.update(status="stale", last_status_at=now).where(active).execute()
    return ended


def _on(key: PaneKey) -> list[Any]:
    return [getattr(Agent, name) == getattr(key, name) for name in PANE_KEY]


def _alone(agent_id: str, key: Mapping[str, object]) -> None:
    Agent.update(active=False).where(
        *(getattr(Agent, name) == value for name, value in key.items()),
        Agent.active,
        Agent.agent_id != agent_id,
    ).execute()
