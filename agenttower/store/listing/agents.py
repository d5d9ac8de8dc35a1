"""Agents as ``app.agent.*`` shows them."""

from __future__ import annotations

from dataclasses import dataclass

from agenttower.clock import Micros
from agenttower.store.app_state import ATTACHED, PANE_ACTIVE
from agenttower.store.models.base import execute


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


SELECT = f"""
SELECT agent.agent_id, agent.role, agent.capability, agent.label, agent.project_path,
  agent.parent_agent_id, agent.container_id, agent.tmux_pane_id, agent.created_at,
  agent.agent_id IN ({ATTACHED}), {PANE_ACTIVE}, agent.active, agent.origin
FROM agent
"""


def by_id(agent_id: str) -> AgentRow | None:
    """The agent of this id, active or not."""
    row = execute(f"{SELECT} WHERE agent.agent_id = ?", (agent_id,)).fetchone()
    return None if row is None else AgentRow(*row)
