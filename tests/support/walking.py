"""Paging through very many rows while others come, and what must be true of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agenttower.store.database import Store
from tests.support import many_rows
from tests.support.panel import Panel

COME = 20
"""Rows that come at once, now and then between two pages."""


def more_panes(store: Store, number: int) -> None:
    """In the places of some that are there, on another server."""
    store.execute(
        "INSERT INTO pane (container_id, tmux_socket_path, tmux_session_name, tmux_window_index,"
        " tmux_pane_index, tmux_pane_id, tmux_server, container_user, token, pane_pid, pane_tty,"
        " pane_current_command, pane_current_path, pane_title, pane_active, active, first_seen_at,"
        " last_scanned_at, last_seen_at) SELECT container_id, '/s' || ?, tmux_session_name,"
        " tmux_window_index, tmux_pane_index, tmux_pane_id, '2', '', '', 1, '', '', '', '', 0, 1,"
        " first_seen_at, 1, 1 FROM pane WHERE id % 5000 = ? % 5000 AND tmux_server = '1 1'",
        (number, number),
    )


def more_events(store: Store, number: int) -> None:
    many_rows.fill_events(store, COME)


def more_prompts(store: Store, number: int) -> None:
    """Of all states, some as old as the oldest."""
    many_rows.fill_prompts(store, COME)


@dataclass(frozen=True)
class Walk:
    """One list, and what comes into it meanwhile."""

    method: str
    rows: str
    """A query for the names of all its rows."""
    name: Callable[[dict[str, Any]], object]
    come: Callable[[Store, int], None]


WALKS = (
    Walk(
        "app.pane.list",
        "SELECT container_id || tmux_socket_path || tmux_pane_id FROM pane",
        lambda row: row["container_id"] + row["tmux_socket"] + row["pane_id"],
        more_panes,
    ),
    Walk(
        "app.event.list",
        "SELECT id FROM event WHERE kind IN ('agent', 'managed')",
        lambda row: row["event_id"],
        more_events,
    ),
    Walk(
        "app.queue.list",
        "SELECT message_id FROM prompt",
        lambda row: row["message_id"],
        more_prompts,
    ),
)


def fill(store: Store, count: int) -> None:
    """So many panes, listed events and prompts."""
    with store.transaction():
        many_rows.fill_containers(store)
        many_rows.fill_agents(store)
        many_rows.fill_panes(store, count)
        many_rows.fill_events(store, count * 4 // 3 + 1)
        many_rows.fill_prompts(store, count)


def walk(panel: Panel, one: Walk) -> int:
    """Go from the first page to the last: every row that was there comes, and none twice.

    :return: how many came.
    """
    there = {row[0] for row in panel.store.execute(one.rows).fetchall()}
    seen: list[object] = []
    total = len(there)
    for number, page in enumerate(panel.pages(one.method, limit=200)):
        seen += [one.name(row) for row in page["rows"]]
        assert page["total"] >= total
        total = page["total"]
        if number % 25 == 0:
            with panel.store.transaction():
                one.come(panel.store, number)
    assert len(set(seen)) == len(seen)
    assert there <= set(seen)
    return len(seen)
