"""The rows of a tower in one snapshot, read past our code, and what must be true of them always."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]
ALIVE = ("creating", "ready", "degraded")
REMOVAL = ("tmux_kill", "route_cleanup", "log_detach", "archive")
CAPACITY = 40


@dataclass(frozen=True)
class Rows:
    """One instant of the database."""

    layouts: list[Row]
    panes: list[Row]
    agents: list[Row]
    """Active managed ones."""
    operations: list[Row]
    """Unfinished ones."""
    steps: list[Row]
    """Open ones."""
    events: list[Row]
    """Those behind the given id, in order; audit lines are among them."""

    def current(self, layout_id: str) -> list[Row]:
        """The panes of a layout that no other row names as predecessor, in slot order."""
        named = {pane["predecessor_id"] for pane in self.panes}
        own = [pane for pane in self.panes if pane["layout_id"] == layout_id]
        return sorted(
            (pane for pane in own if pane["pane_id"] not in named), key=lambda pane: pane["slot"]
        )

    @property
    def at_rest(self) -> bool:
        """Nothing is under way and nothing waits."""
        return not self.operations and not self.steps


def read_rows(database: Path, after_event: int = 0) -> Rows:
    """Everything in one read transaction, which waits for nobody and holds up nobody."""
    uri = f"file:{database}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=10, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row

        def rows(sql: str, *parameters: object) -> list[Row]:
            return [dict(row) for row in connection.execute(sql, parameters)]

        connection.execute("BEGIN")
        return Rows(
            layouts=rows("SELECT * FROM managed_layout"),
            panes=rows("SELECT * FROM managed_pane"),
            agents=rows("SELECT * FROM agent WHERE active AND origin = 'managed'"),
            operations=rows("SELECT * FROM operation WHERE finished_at IS NULL ORDER BY id"),
            steps=rows("SELECT * FROM step WHERE status IN ('pending', 'running')"),
            events=rows("SELECT * FROM event WHERE id > ? ORDER BY id", after_event),
        )


def complaints(rows: Rows) -> list[str]:
    """What is not as it must be at every instant, in words; empty where all is well."""
    return [complaint for rule in ALWAYS for complaint in rule(rows)]


def aggregate(states: Iterable[str]) -> str:
    """managed.md section 2, written a second time on purpose."""
    present = set(states)
    if "creating" in present:
        return "creating"
    for state in ("failed", "degraded", "ready"):
        if state in present:
            return state
    return "removed"


def _layouts_follow_their_panes(rows: Rows) -> Iterator[str]:
    for layout in rows.layouts:
        current = rows.current(layout["layout_id"])
        wanted = aggregate(pane["state"] for pane in current)
        if layout["state"] != wanted:
            states = [pane["state"] for pane in current]
            yield f"layout {layout['layout_id']} is {layout['state']}, its panes are {states}"
        failed = [pane["failed_stage"] for pane in current if pane["state"] == "failed"]
        stage = failed[0] if wanted == "failed" else None
        if layout["failed_stage"] != stage:
            yield f"layout {layout['layout_id']} names stage {layout['failed_stage']}, not {stage}"


def _labels_and_slots_are_unique(rows: Rows) -> Iterator[str]:
    living = [pane for pane in rows.panes if pane["state"] in ALIVE]
    for keys in (("container_id", "label"), ("layout_id", "slot")):
        taken = Counter(tuple(pane[key] for key in keys) for pane in living)
        yield from (f"{count} living panes for {key}" for key, count in taken.items() if count > 1)


def _capacity_holds(rows: Rows) -> Iterator[str]:
    standing = sum(layout["state"] != "removed" for layout in rows.layouts)
    if standing > CAPACITY:
        yield f"{standing} layouts stand, {CAPACITY} are allowed"


def _marker_while_creating(rows: Rows) -> Iterator[str]:
    for pane in rows.panes:
        if (pane["state"] == "creating") != (pane["pending_marker_token"] is not None):
            yield f"pane {pane['pane_id']} is {pane['state']}: {pane['pending_marker_token']=}"


def _agents_are_active_while_their_panes_live(rows: Rows) -> Iterator[str]:
    panes = {pane["reserved_agent_id"]: pane for pane in rows.panes}
    active = {agent["agent_id"] for agent in rows.agents}
    leaving = {step["subject_id"] for step in rows.steps if step["stage"] in REMOVAL}
    for agent_id in active:
        if panes[agent_id]["state"] not in ALIVE:
            yield f"agent {agent_id} is active, its pane is {panes[agent_id]['state']}"
    for agent_id, pane in panes.items():
        registered = pane["state"] in ("ready", "degraded") and pane["pane_id"] not in leaving
        if registered and agent_id not in active:
            yield f"pane {pane['pane_id']} is {pane['state']} without an active agent"
    # A new server counts from %0 again, so that its name belongs to the key.
    key = ("container_id", "tmux_server_id", "tmux_pane_id")
    held = Counter(tuple(panes[agent_id][part] for part in key) for agent_id in active)
    yield from (f"{count} active agents on {pane}" for pane, count in held.items() if count > 1)


def _lines_are_orderly(rows: Rows) -> Iterator[str]:
    """FR-019: one runs, the later ones wait; and nothing waits for nobody."""
    lines: defaultdict[str, list[Row]] = defaultdict(list)
    for operation in rows.operations:
        if operation["in_line"]:
            lines[operation["lane"]].append(operation)
    for lane, line in lines.items():
        states = [operation["state"] for operation in line]
        if states != ["running"] + ["waiting"] * (len(line) - 1):
            yield f"the line of {lane[:12]} is {states}"


def _running_operations_have_open_steps(rows: Rows) -> Iterator[str]:
    busy = {step["operation_id"] for step in rows.steps}
    for operation in rows.operations:
        if operation["id"] not in busy:
            yield f"operation {operation['id']} ({operation['kind']}) has nothing left to do"
    twice = Counter((step["operation_id"], step["subject_id"]) for step in rows.steps)
    yield from (
        f"operation {operation_id} has {count} open steps for pane {pane_id}"
        for (operation_id, pane_id), count in twice.items()
        if count > 1
    )


ALWAYS: tuple[Callable[[Rows], Iterator[str]], ...] = (
    _layouts_follow_their_panes,
    _labels_and_slots_are_unique,
    _capacity_holds,
    _marker_while_creating,
    _agents_are_active_while_their_panes_live,
    _lines_are_orderly,
    _running_operations_have_open_steps,
)
