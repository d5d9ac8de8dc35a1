"""Discovered panes as ``app.pane.*`` shows them."""

from __future__ import annotations

from dataclasses import dataclass

from agenttower.clock import Micros
from agenttower.store.app_state import RESIDENTS
from agenttower.store.models.base import execute


@dataclass(frozen=True, slots=True)
class PaneRow:
    """A pane, and the active agent in it."""

    id: int
    pane_id: str
    container_id: str
    container_name: str
    tmux_socket: str
    session_name: str
    window_index: int
    pane_index: int
    agent_id: str | None
    active: int
    first_seen_at: Micros
    last_seen_at: Micros


SELECT = f"""
SELECT pane.id, pane.tmux_pane_id, pane.container_id, container.name, pane.tmux_socket_path,
  pane.tmux_session_name, pane.tmux_window_index, pane.tmux_pane_index, resident.agent_id,
  pane.active, pane.first_seen_at, pane.last_seen_at
FROM pane JOIN container ON container.id = pane.container_id
LEFT JOIN ({RESIDENTS}) AS resident ON resident.pane = pane.id
"""


def first_match(
    pane_id: str, container_id: str | None = None, tmux_socket: str | None = None
) -> PaneRow | None:
    """A pane by tmux's own id, which is unique within one tmux server only.

    :return: of several the first that is there, in the order of ``app.pane.list``; a vanished one
        where none is.
    """
    conditions = {
        "pane.tmux_pane_id = ?": pane_id,
        "pane.container_id = ?": container_id,
        "pane.tmux_socket_path = ?": tmux_socket,
    }
    given = {condition: value for condition, value in conditions.items() if value is not None}
    row = execute(
        f"{SELECT} WHERE {' AND '.join(given)} ORDER BY pane.active DESC, container.name,"
        " container.id, pane.tmux_session_name, pane.tmux_window_index, pane.tmux_pane_index,"
        " pane.id LIMIT 1",
        list(given.values()),
    ).fetchone()
    return None if row is None else PaneRow(*row)
