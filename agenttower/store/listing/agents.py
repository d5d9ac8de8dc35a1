"""Agents as ``app.agent.*`` shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agenttower.clock import Micros
from agenttower.domain.app_ranks import ROLE_PRIORITY
from agenttower.store.app_state import ATTACHED, PANE_ACTIVE
from agenttower.store.listing.pages import Lanes, Line, Listing, equal, whether


@dataclass(frozen=True, slots=True)
class AgentRow:
    """An agent, active or not; ``log_attached`` and ``pane_active`` are true where not 0."""

    agent_id: str
    role: str
    capability: str
    label: str
    project_path: str
    parent_agent_id: str | None
    container_id: str
    pane_id: str
    created_at: Micros
    log_attached: int
    pane_active: int
    active: int
    origin: str


_COLUMNS = f"""agent.agent_id, agent.role, agent.capability, agent.label, agent.project_path,
  agent.parent_agent_id, agent.container_id, agent.tmux_pane_id, agent.created_at,
  agent.agent_id IN ({ATTACHED}), {PANE_ACTIVE}, agent.active, agent.origin"""
_BY_ROLE = Line(
    ("agent.created_at", "agent.agent_id"),
    (str, int, str),
    Lanes("agent.role", lambda: tuple(ROLE_PRIORITY)),
)


def _record(row: Sequence[Any]) -> AgentRow:
    return AgentRow(*row)


LISTING = Listing(
    table="agent",
    source="agent",
    columns=_COLUMNS,
    record=_record,
    lines={
        "default": _BY_ROLE,
        "role": _BY_ROLE,
        "registered_at": Line(("agent.created_at", "agent.agent_id"), (int, str)),
    },
    filters={
        "role": equal("agent.role"),
        "capability": equal("agent.capability"),
        "container_id": equal("agent.container_id"),
        "log_attached": whether(
            f"agent.agent_id IN ({ATTACHED})", f"agent.agent_id NOT IN ({ATTACHED})"
        ),
    },
)


def by_id(agent_id: str) -> AgentRow | None:
    """The agent of this id, active or not."""
    return LISTING.first("agent.agent_id = ?", agent_id)
