"""What must be true of the rows after every commit, as questions to the database.

Each question is one read of one snapshot, and yields what does not hold: to which object, what was
found, what to do. Rules that the schema itself enforces (states, unique labels, foreign keys) are
SQLite's own checks; here stands what spans rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from agenttower.domain.states import Stage, State, aggregate, layout_failed_stage

REPORT = "keep this output and a backup ('agenttower db backup'), and report it"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be.

    ``heals``: it is what a crash leaves, and a running worker or front end puts it right.
    """

    check: str
    subject: str
    found: str
    advice: str
    heals: bool = False


_CURRENT = (
    "pane_id NOT IN (SELECT predecessor_id FROM managed_pane WHERE predecessor_id IS NOT NULL)"
)
"""No other row names it as its predecessor. Computed once, not for each pane."""

Check = Callable[[sqlite3.Connection], Iterator[Finding]]


def layout_state(db: sqlite3.Connection) -> Iterator[Finding]:
    """A layout's stored state is that of its current panes (managed.md section 2)."""
    panes: dict[str, list[tuple[State, Stage | None]]] = {}
    for layout_id, state, stage in db.execute(
        f"SELECT layout_id, state, failed_stage FROM managed_pane WHERE {_CURRENT}"
        " ORDER BY layout_id, slot, chain_depth, created_at"
    ):
        panes.setdefault(layout_id, []).append((State(state), Stage(stage) if stage else None))
    for layout_id, stored, stage in db.execute(
        "SELECT layout_id, state, failed_stage FROM managed_layout"
    ):
        current = panes.get(layout_id, [])
        derived = aggregate(state for state, _ in current)
        derived_stage = layout_failed_stage(current)
        if (stored, stage) != (derived.value, derived_stage.value if derived_stage else None):
            yield Finding(
                "layout_state",
                f"layout {layout_id}",
                f"is stored as {_shown(stored, stage)}, but its current panes make it "
                f"{_shown(derived.value, derived_stage)}",
                "trust its panes ('agenttower pane list --layout'); the state is derived anew with "
                f"the next change of one of them; {REPORT}",
            )


def pane_chain(db: sqlite3.Connection) -> Iterator[Finding]:
    """A successor stands in its predecessor's place, one deeper; each slot has one current pane."""
    for row in db.execute(
        "SELECT pane.pane_id, pane.predecessor_id, old.pane_id IS NULL FROM managed_pane AS pane"
        " LEFT JOIN managed_pane AS old ON old.pane_id = pane.predecessor_id"
        " WHERE pane.predecessor_id IS NOT NULL AND (old.pane_id IS NULL"
        " OR old.layout_id <> pane.layout_id OR old.slot <> pane.slot"
        " OR old.chain_depth + 1 <> pane.chain_depth)"
    ):
        what = "which is not there" if row[2] else "which has another layout, slot or depth"
        yield Finding("pane_chain", f"pane {row[0]}", f"follows pane {row[1]}, {what}", REPORT)
    for layout_id, wanted, slots, current in db.execute(
        "SELECT layout.layout_id, intended_pane_count, COUNT(DISTINCT pane.slot),"
        " COUNT(pane_id) FROM managed_layout AS layout LEFT JOIN managed_pane AS pane"
        " ON pane.layout_id = layout.layout_id AND (pane.state IN ('creating', 'ready', 'degraded')"
        f" OR {_CURRENT})"
        " GROUP BY layout.layout_id HAVING COUNT(DISTINCT pane.slot) <> intended_pane_count"
    ):
        yield Finding(
            "pane_chain",
            f"layout {layout_id}",
            f"is meant to have {wanted} panes and has {current} in {slots} slots",
            REPORT,
        )
    for layout_id, slot, living in db.execute(
        "SELECT layout_id, slot, COUNT(*) FROM managed_pane"
        " WHERE state IN ('creating', 'ready', 'degraded')"
        " GROUP BY layout_id, slot HAVING COUNT(*) > 1"
    ):
        yield Finding(
            "pane_chain",
            f"layout {layout_id}",
            f"has {living} living panes in slot {slot}",
            f"look which of them is in use, and remove the other; {REPORT}",
        )


def pane_creation(db: sqlite3.Connection) -> Iterator[Finding]:
    """Whatever is being created has an operation that goes on with it."""
    for (pane_id,) in db.execute(
        "SELECT pane_id FROM managed_pane AS pane WHERE state = 'creating' AND NOT EXISTS"
        " (SELECT 1 FROM operation WHERE state IN ('waiting', 'running') AND subject_id ="
        " CASE WHEN pane.chain_depth = 0 THEN pane.layout_id ELSE pane.pane_id END)"
    ):
        yield Finding(
            "pane_creation",
            f"pane {pane_id}",
            "is creating, and no unfinished operation creates it",
            f"it would stay so, with its label taken; {REPORT}",
        )


def pane_agent(db: sqlite3.Connection) -> Iterator[Finding]:
    """Agents live and end with their panes."""
    for agent_id, pane_id, state in db.execute(
        "SELECT agent.agent_id, pane.pane_id, pane.state FROM agent JOIN managed_pane AS pane"
        " ON pane.reserved_agent_id = agent.agent_id"
        " WHERE agent.active AND pane.state IN ('failed', 'removed')"
    ):
        yield Finding(
            "pane_agent",
            f"agent {agent_id}",
            f"is active, but its pane {pane_id} is {state}",
            f"what is sent to it reaches nobody; {REPORT}",
        )
    for pane_id, state in db.execute(
        "SELECT pane_id, state FROM managed_pane WHERE state IN ('ready', 'degraded')"
        " AND NOT EXISTS (SELECT 1 FROM agent WHERE agent_id = reserved_agent_id)"
    ):
        yield Finding(
            "pane_agent",
            f"pane {pane_id}",
            f"is {state} and was never registered as an agent",
            f"remove and recreate it; {REPORT}",
        )


def operation_progress(db: sqlite3.Connection) -> Iterator[Finding]:
    """An unfinished operation has something to do, a finished one nothing."""
    for operation_id, kind, state, lane, open_steps in db.execute(
        "SELECT id, kind, state, lane, (SELECT COUNT(*) FROM step WHERE operation_id = operation.id"
        " AND status IN ('pending', 'running')) AS open_steps FROM operation"
        " WHERE (state IN ('waiting', 'running')) <> (open_steps > 0)"
    ):
        unfinished = state in ("waiting", "running")
        yield Finding(
            "operation_progress",
            f"operation {operation_id} ({kind})",
            f"is {state} with {open_steps} open steps",
            (
                f"nothing will finish it, and creations in container {lane[:12]} wait behind it; "
                if unfinished
                else "these steps will never run; "
            )
            + REPORT,
        )


def operation_line(db: sqlite3.Connection) -> Iterator[Finding]:
    """In each container's line the oldest runs and the others wait (FR-019)."""
    for operation_id, kind, state, ahead in db.execute(
        "SELECT id, kind, state, (SELECT COUNT(*) FROM operation AS other WHERE other.in_line"
        " AND other.lane = operation.lane AND other.id < operation.id"
        " AND other.state IN ('waiting', 'running')) AS ahead FROM operation"
        " WHERE in_line AND state IN ('waiting', 'running')"
        " AND (state = 'running') <> (ahead = 0)"
    ):
        yield Finding(
            "operation_line",
            f"operation {operation_id} ({kind})",
            f"is {state} with {ahead} unfinished before it in its line",
            REPORT,
        )


def step_owner(db: sqlite3.Connection) -> Iterator[Finding]:
    """Who holds a step is a worker that runs; a crash leaves one held by nobody."""
    for step_id, stage, owner, known in db.execute(
        "SELECT step.id, stage, lease_owner, worker.worker_id IS NOT NULL FROM step"
        " LEFT JOIN worker ON worker.worker_id = step.lease_owner"
        " WHERE status = 'running' AND (worker.worker_id IS NULL OR stopped_at IS NOT NULL)"
    ):
        what = "which has stopped" if known else "which no row knows"
        yield Finding(
            "step_owner",
            f"step {step_id} ({stage})",
            f"is held by worker {owner}, {what}",
            "start a worker: it takes the step over" + ("" if known else f"; {REPORT}"),
            heals=bool(known),
        )


def event_sequence(db: sqlite3.Connection) -> Iterator[Finding]:
    """Events of a layout are numbered from 1 without gaps (FR-015)."""
    for layout_id, last, count, first, highest in db.execute(
        "SELECT layout.layout_id, last_sequence, COUNT(event.id), COALESCE(MIN(sequence), 1),"
        " COALESCE(MAX(sequence), 0) FROM managed_layout AS layout"
        " LEFT JOIN event ON event.layout_id = layout.layout_id GROUP BY layout.layout_id"
        " HAVING COUNT(event.id) <> last_sequence OR COALESCE(MIN(sequence), 1) <> 1"
        " OR COALESCE(MAX(sequence), 0) <> last_sequence"
    ):
        yield Finding(
            "event_sequence",
            f"layout {layout_id}",
            f"has counted {last} events and has {count}, numbered {first} to {highest}",
            f"events are lost; 'events.jsonl' may still have them; {REPORT}",
        )
    for layout_id, count in db.execute(
        "SELECT layout_id, COUNT(*) FROM event WHERE kind = 'managed' AND NOT EXISTS (SELECT 1 FROM"
        " managed_layout WHERE managed_layout.layout_id = event.layout_id) GROUP BY layout_id"
    ):
        yield Finding(
            "event_sequence",
            f"layout {layout_id}",
            f"has {count} events and is not there itself",
            REPORT,
        )


def relay_position(db: sqlite3.Connection) -> Iterator[Finding]:
    """The relay cannot have relayed what was never written."""
    last, position = db.execute(
        "SELECT (SELECT COALESCE(MAX(id), 0) FROM event),"
        " (SELECT COALESCE(MAX(last_event_id), 0) FROM relay_position)"
    ).fetchone()
    if position > last:
        yield Finding(
            "relay_position",
            f"event {position}",
            f"counts as relayed, but the last event is {last}",
            f"events up to {position} would be left out of 'events.jsonl'; {REPORT}",
        )


def prompt_delay(db: sqlite3.Connection) -> Iterator[Finding]:
    """Only a prompt that an operator delayed has a time at which it goes on."""
    for (message_id,) in db.execute(
        "SELECT message_id FROM prompt_delay WHERE message_id NOT IN"
        " (SELECT message_id FROM prompt WHERE block_reason = 'operator_delayed')"
    ):
        yield Finding(
            "prompt_delay",
            f"prompt {message_id}",
            "has a time at which it goes on, and is not delayed",
            f"nothing is delivered because of it; {REPORT}",
        )


DOCUMENTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "managed_pane.launch": ("managed_pane", "pane_id"),
        "step.history": ("step", "id"),
        "event.payload": ("event", "id"),
        "container.labels": ("container", "id"),
        "container.mounts": ("container", "id"),
    }
)


def documents(db: sqlite3.Connection) -> Iterator[Finding]:
    """Columns that hold JSON can be read as JSON."""
    for column, (table, identity) in DOCUMENTS.items():
        for (row,) in db.execute(
            f"SELECT {identity} FROM {table} WHERE json_valid({column}) IS NOT 1"
        ):
            yield Finding(
                "documents",
                f"{table} {row}",
                f"has no JSON in {column}",
                f"whoever shows it fails; restore a backup; {REPORT}",
            )


CHECKS: tuple[Check, ...] = (
    layout_state,
    pane_chain,
    pane_creation,
    pane_agent,
    operation_progress,
    operation_line,
    step_owner,
    event_sequence,
    relay_position,
    prompt_delay,
    documents,
)


def _shown(state: str, stage: Any) -> str:
    return state if stage is None else f"{state} at {stage}"
