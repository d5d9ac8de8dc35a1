"""Discovered panes as ``app.pane.*`` shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agenttower.clock import Micros
from agenttower.store.app_state import RESIDENTS
from agenttower.store.listing.pages import Lanes, Line, Listing, equal, whether
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


_REGISTERED = f"pane.id IN (SELECT resident.pane FROM ({RESIDENTS}) AS resident)"
_AGENT_ID = (
    f"(SELECT resident.agent_id FROM ({RESIDENTS}) AS resident WHERE resident.pane = pane.id)"
)


def _record(row: Sequence[Any]) -> PaneRow:
    return PaneRow(*row)


def _containers() -> list[str]:
    """Those that have panes, by name."""
    rows = execute(
        "SELECT id FROM container WHERE EXISTS"
        " (SELECT 1 FROM pane WHERE pane.container_id = container.id) ORDER BY name, id"
    ).fetchall()
    return [row[0] for row in rows]


LISTING = Listing(
    table="pane",
    source="pane JOIN container ON container.id = pane.container_id",
    columns=f"""pane.id, pane.tmux_pane_id, pane.container_id, container.name,
  pane.tmux_socket_path, pane.tmux_session_name, pane.tmux_window_index, pane.tmux_pane_index,
  {_AGENT_ID}, pane.active, pane.first_seen_at, pane.last_seen_at""",
    record=_record,
    lines={
        "default": Line(
            (
                "pane.tmux_session_name",
                "pane.tmux_window_index",
                "pane.tmux_pane_index",
                "pane.id",
            ),
            (int,),
            Lanes("pane.container_id", _containers),
            find="SELECT container_id, tmux_session_name, tmux_window_index, tmux_pane_index, id"
            " FROM pane WHERE id = ?",
        ),
        "discovered_at": Line(("pane.first_seen_at", "pane.id"), (int, int)),
        "last_seen_at": Line(("pane.last_seen_at", "pane.id"), (int, int)),
    },
    filters={
        "container_id": equal("pane.container_id"),
        "registered": whether(_REGISTERED, f"NOT {_REGISTERED}"),
    },
)


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
    return LISTING.first(
        f"{' AND '.join(given)} ORDER BY pane.active DESC, container.name, container.id,"
        " pane.tmux_session_name, pane.tmux_window_index, pane.tmux_pane_index, pane.id LIMIT 1",
        *given.values(),
    )
