"""Containers as ``app.container.*`` shows them."""

from __future__ import annotations

from dataclasses import dataclass

from agenttower.clock import Micros
from agenttower.store.app_state import CONTAINER_STATE, RESIDENTS
from agenttower.store.models.base import execute


@dataclass(frozen=True, slots=True)
class ContainerRow:
    """A container and how much is in it."""

    id: str
    name: str
    state: str
    image: str
    first_seen_at: Micros
    last_scanned_at: Micros
    pane_count: int
    """Stored panes, those that are gone too."""
    registered_agent_count: int
    """Agents whose pane the last scan saw."""


SELECT = f"""
SELECT container.id, container.name, {CONTAINER_STATE}, container.image, container.first_seen_at,
  container.last_scanned_at,
  (SELECT COUNT(*) FROM pane WHERE pane.container_id = container.id),
  (SELECT COUNT(DISTINCT resident.agent_id) FROM ({RESIDENTS}) AS resident
   WHERE resident.container_id = container.id)
FROM container
"""


def by_id(container_id: str) -> ContainerRow | None:
    """The container of this full id."""
    row = execute(f"{SELECT} WHERE container.id = ?", (container_id,)).fetchone()
    return None if row is None else ContainerRow(*row)
