"""What the last scan of panes says of an agent's own pane."""

from __future__ import annotations

from agenttower.store.agents import AgentRecord
from agenttower.store.models import Pane
from agenttower.store.panes import PANE_KEY


def living_pid(agent: AgentRecord) -> int | None:
    """The process of the agent's pane; ``None`` where the last scan did not see the pane."""
    same_pane = [getattr(Pane, column) == getattr(agent, column) for column in PANE_KEY]
    row = Pane.get_or_none(*same_pane, Pane.active)
    return None if row is None else int(row.pane_pid)
