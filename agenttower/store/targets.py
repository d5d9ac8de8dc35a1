"""Agents as senders and addressees of prompts: by name, by pane, and where they can be reached."""

from __future__ import annotations

from dataclasses import dataclass

from agenttower.domain.identifiers import is_agent_id
from agenttower.errors import AgentNotFound, TargetLabelAmbiguous
from agenttower.store import agents
from agenttower.store.agents import AgentRecord
from agenttower.store.models import Agent
from agenttower.store.models.base import execute
from agenttower.store.panes import PANE_KEY


@dataclass(frozen=True, slots=True)
class PaneAddress:
    """Where an agent's pane stands now; ``token`` is set on panes of ours."""

    socket_path: str
    pane_id: str
    pane_pid: int
    token: str = ""
    exit_code: int | None = None
    """Set where it is known that the program in a pane of ours has ended."""
    leaving: bool = False
    """A removal of the pane is under way; it decides what becomes of the prompts that wait."""


@dataclass(frozen=True, slots=True)
class Addressee:
    """An agent with what decides whether it can be reached."""

    agent: AgentRecord
    container_active: bool
    pane: PaneAddress | None
    """``None``: no scan shows the pane at present."""


def named(name: str, scope: str | None = None) -> AgentRecord:
    """The agent that a string names (legacy surfaces part 2, section 0.4): an id, or the label of
    an active agent, verbatim.

    :param scope: the only container whose agents count, ``None`` for all.
    :raises AgentNotFound: or :class:`TargetLabelAmbiguous`.
    """
    if is_agent_id(name):
        found = agents.by_id(name)
        if found is None or scope not in (None, found.container_id):
            raise AgentNotFound(name)
        return found
    query = Agent.select(Agent.agent_id).where(Agent.label == name, Agent.active)
    if scope is not None:
        query = query.where(Agent.container_id == scope)
    ids = sorted(row.agent_id for row in query)
    if len(ids) > 1:
        raise TargetLabelAmbiguous(name, ids)
    found = agents.by_id(ids[0]) if ids and name else None
    if found is None:
        raise AgentNotFound(name)
    return found


def on_pane(container_id: str, socket_path: str, pane_id: str) -> AgentRecord | None:
    """The active agent of a pane. Indices and session names may change while a pane lives, so the
    server's socket and ``%N`` decide."""
    row = Agent.get_or_none(
        Agent.container_id == container_id,
        Agent.tmux_socket_path == socket_path,
        Agent.tmux_pane_id == pane_id,
        Agent.active,
    )
    return None if row is None else agents.by_id(row.agent_id)


def addressee(agent_id: str) -> Addressee | None:
    """An agent, and where it can be reached now; ``None`` where there is no such agent."""
    agent = agents.by_id(agent_id)
    if agent is None:
        return None
    running = execute(
        "SELECT 1 FROM container WHERE id = ? AND active", (agent.container_id,)
    ).fetchone()
    pane = _managed(agent_id) if agent.origin == "managed" else _discovered(agent_id)
    return Addressee(agent, running is not None, pane)


def _managed(agent_id: str) -> PaneAddress | None:
    """A pane of ours needs no scan: its health is watched all the time."""
    row = execute(
        "SELECT tmux_socket_path, tmux_pane_id, pane_pid, pane_id, exit_code, EXISTS"
        " (SELECT 1 FROM step WHERE step.subject_id = managed_pane.pane_id"
        "  AND stage IN ('tmux_kill', 'route_cleanup') AND status IN ('pending', 'running'))"
        " FROM managed_pane"
        " WHERE reserved_agent_id = ? AND state IN ('creating', 'ready', 'degraded')"
        " AND tmux_pane_id IS NOT NULL AND tmux_socket_path IS NOT NULL AND pane_pid IS NOT NULL",
        (agent_id,),
    ).fetchone()
    if row is None:
        return None
    socket_path, pane_id, pane_pid, ours, exit_code, leaving = row
    token = str(ours).replace("-", "")
    return PaneAddress(socket_path, pane_id, pane_pid, token, exit_code, bool(leaving))


def _discovered(agent_id: str) -> PaneAddress | None:
    """A pane of somebody else's, if the last scan saw it on the server it was registered on."""
    columns = ("tmux_socket_path", "tmux_pane_id", "tmux_server")
    key = " AND ".join(f"pane.{column} = agent.{column}" for column in PANE_KEY)
    row = execute(
        f"SELECT {', '.join(f'agent.{column}' for column in columns)}, pane.tmux_server,"
        f" pane.pane_pid FROM agent JOIN pane ON {key} WHERE agent.agent_id = ? AND pane.active",
        (agent_id,),
    ).fetchone()
    if row is None:
        return None
    socket_path, pane_id, registered_on, found_on, pane_pid = row
    if registered_on not in (None, found_on):
        return None
    return PaneAddress(socket_path, pane_id, pane_pid)
