"""Named queries on operations and steps. Every change of state names the state it expects.

The functions that write expect to run inside the caller's transaction; they say by what they
return whether they were first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

from peewee import ModelSelect, fn

from agenttower.clock import Micros
from agenttower.domain.retry import LONGEST_WAIT_US
from agenttower.store.database import Store
from agenttower.store.models import Operation, QueueMessage, Step
from agenttower.store.models.base import execute


@dataclass(frozen=True, slots=True)
class NewStep:
    """A step to be written: which stage, for what, and when it may start."""

    stage: str
    subject_id: str
    not_before: Micros = 0


@dataclass(frozen=True, slots=True)
class StepRef:
    """Enough of a step to ring its bell."""

    step_id: int
    stage: str
    not_before: Micros


@dataclass(frozen=True, slots=True)
class ClaimedStep:
    """A step that this process holds until its lease ends. ``attempt`` counts from 1."""

    step_id: int
    operation_id: int
    stage: str
    subject_id: str
    lane: str
    attempt: int
    failures: int
    fence: int
    owner: str
    started_at: Micros


@dataclass(frozen=True, slots=True)
class LeasedStep:
    """A running step as the rescue sees it."""

    step_id: int
    stage: str
    fence: int
    owner: str
    lease_until: Micros


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step as readers see it."""

    subject_id: str
    stage: str
    status: str
    attempt: int
    not_before: Micros
    lease_until: Micros | None
    started_at: Micros | None
    finished_at: Micros | None
    error_class: str | None
    error_text: str | None


def insert_operation(
    kind: str, lane: str, *, in_line: bool, subject_id: str, requested_by: str, now: Micros
) -> tuple[int, bool]:
    """Write an operation; returns its id and whether it may run now or waits in line (FR-019)."""
    waits = (
        in_line
        and Operation.select()
        .where(
            Operation.lane == lane,
            Operation.in_line,
            Operation.state.in_(("waiting", "running")),
        )
        .exists()
    )
    operation_id: int = Operation.insert(
        kind=kind,
        lane=lane,
        in_line=in_line,
        subject_id=subject_id,
        state="waiting" if waits else "running",
        requested_by=requested_by,
        created_at=now,
    ).execute()
    return operation_id, not waits


def insert_steps(
    store: Store, operation_id: int, lane: str, steps: Sequence[NewStep], now: Micros
) -> list[StepRef]:
    """Write steps, leaving alone those that stand already; returns the new ones."""
    written = []
    for step in steps:
        row = store.execute(
            "INSERT INTO step (operation_id, stage, subject_id, lane, status, attempt, failures,"
            " not_before, fence, created_at, history)"
            " VALUES (?, ?, ?, ?, 'pending', 0, 0, ?, 0, ?, '[]')"
            " ON CONFLICT DO NOTHING RETURNING id",
            (operation_id, step.stage, step.subject_id, lane, step.not_before, now),
        ).fetchone()
        if row is not None:
            written.append(StepRef(row[0], step.stage, step.not_before))
    return written


def claim(
    store: Store, step_id: int, *, owner: str, lease_us: Micros, now: Micros
) -> ClaimedStep | None:
    """Take a pending, due step of a running operation; ``None`` where somebody else was first."""
    row = store.execute(
        "UPDATE step SET status = 'running', attempt = attempt + 1, fence = fence + 1,"
        " lease_owner = ?, lease_until = ?, started_at = ?, error_class = NULL, error_text = NULL"
        " WHERE id = ? AND status = 'pending' AND (not_before <= ? OR not_before > ?) AND EXISTS"
        " (SELECT 1 FROM operation WHERE operation.id = step.operation_id"
        "  AND operation.state = 'running')"
        " RETURNING operation_id, stage, subject_id, lane, attempt, failures, fence",
        (owner, now + lease_us, now, step_id, now, now + LONGEST_WAIT_US),
    ).fetchone()
    if row is None:
        return None
    store.execute(
        "UPDATE operation SET started_at = ? WHERE id = ? AND started_at IS NULL", (now, row[0])
    )
    operation_id, stage, subject_id, lane, attempt, failures, fence = row
    return ClaimedStep(
        step_id, operation_id, stage, subject_id, lane, attempt, failures, fence, owner, now
    )


def finish_step(
    store: Store, step: ClaimedStep, status: str, now: Micros, error: tuple[str, str] | None = None
) -> bool:
    """Settle a step as ``done`` or ``failed``; ``False`` where its fence was overtaken."""
    error_class, error_text = error or (None, None)
    cursor = store.execute(
        "UPDATE step SET status = ?, finished_at = ?, lease_owner = NULL, lease_until = NULL,"
        " error_class = ?, error_text = ?"
        " WHERE id = ? AND status = 'running' AND fence = ? AND lease_owner = ?",
        (status, now, error_class, error_text, step.step_id, step.fence, step.owner),
    )
    return bool(cursor.rowcount == 1)


def release_step(
    store: Store,
    step: ClaimedStep | LeasedStep,
    *,
    not_before: Micros,
    error: tuple[str, str],
    counts_as_failure: bool,
    now: Micros,
) -> bool:
    """Give a running step back to the queue and note why; ``False`` where the fence moved on."""
    row = Step.get_or_none(Step.id == step.step_id)
    if row is None:
        return False
    history = json.loads(row.history)
    history.append(
        {
            "attempt": row.attempt,
            "started_at": row.started_at,
            "finished_at": now,
            "error_class": error[0],
            "error": error[1],
        }
    )
    cursor = store.execute(
        "UPDATE step SET status = 'pending', lease_owner = NULL, lease_until = NULL,"
        " not_before = ?, failures = failures + ?, error_class = ?, error_text = ?, history = ?"
        " WHERE id = ? AND status = 'running' AND fence = ? AND lease_owner = ?",
        (
            not_before,
            int(counts_as_failure),
            *error,
            json.dumps(history),
            step.step_id,
            step.fence,
            step.owner,
        ),
    )
    return bool(cursor.rowcount == 1)


def finish_operation_if_settled(store: Store, operation_id: int, now: Micros) -> list[StepRef]:
    """Close an operation whose steps are all settled and let the next of its line run.

    Returns the steps that became runnable by it.
    """
    closed = store.execute(
        "UPDATE operation SET finished_at = ?, state = CASE WHEN EXISTS"
        " (SELECT 1 FROM step WHERE operation_id = operation.id AND status = 'failed')"
        " THEN 'failed' ELSE 'succeeded' END"
        " WHERE id = ? AND state = 'running' AND NOT EXISTS"
        " (SELECT 1 FROM step WHERE operation_id = operation.id"
        "  AND status IN ('pending', 'running'))"
        " RETURNING lane, in_line",
        (now, operation_id),
    ).fetchone()
    if closed is None or not closed[1]:
        return []
    successor = (
        Operation.select(fn.MIN(Operation.id))
        .where(Operation.lane == closed[0], Operation.in_line, Operation.state == "waiting")
        .scalar()
    )
    if successor is None:
        return []
    store.execute(
        "UPDATE operation SET state = 'running' WHERE id = ? AND state = 'waiting'", (successor,)
    )
    return _refs(Step.operation_id == successor, Step.status == "pending")


def fail_open_steps(
    store: Store, subject_id: str, error: tuple[str, str], now: Micros
) -> list[StepRef]:
    """Fail whatever is still open for a subject (the marker sweep, FR-022) and close its operation.

    Returns the steps that became runnable by it.
    """
    rows = store.execute(
        "UPDATE step SET status = 'failed', finished_at = ?, lease_owner = NULL,"
        " lease_until = NULL, error_class = ?, error_text = ?"
        " WHERE subject_id = ? AND status IN ('pending', 'running') RETURNING operation_id",
        (now, *error, subject_id),
    ).fetchall()
    ready: list[StepRef] = []
    for operation_id in sorted({row[0] for row in rows}):
        ready += finish_operation_if_settled(store, operation_id, now)
    return ready


def operation_kind(operation_id: int) -> str:
    """What an operation is: ``create``, ``recreate``, ``remove``, ``restart``."""
    return str(Operation.select(Operation.kind).where(Operation.id == operation_id).scalar())


def lane_of(step_id: int) -> str | None:
    """The lane of a step, or ``None`` where there is no such step."""
    row = execute("SELECT lane FROM step WHERE id = ?", (step_id,)).fetchone()
    return None if row is None else str(row[0])


def leased_steps() -> list[LeasedStep]:
    """Every running step with its lease."""
    rows = Step.select(Step.id, Step.stage, Step.fence, Step.lease_owner, Step.lease_until).where(
        Step.status == "running"
    )
    return [LeasedStep(*row) for row in _tuples(rows)]


def unrung_steps() -> list[StepRef]:
    """Pending steps of running operations that have no message: somebody died holding it."""
    return _refs(
        Step.status == "pending",
        Step.operation_id.in_(Operation.select(Operation.id).where(Operation.state == "running")),
        ~fn.EXISTS(QueueMessage.select().where(QueueMessage.step_id == Step.id)),
    )


def restart_clocks(now: Micros) -> None:
    """A worker has started: unfinished operations resume, and FR-022's five minutes start anew."""
    Operation.update(resumed_at=now).where(
        Operation.state == "running", Operation.started_at.is_null(False)
    ).execute()


def steps_of(subject_ids: Sequence[str]) -> list[StepRecord]:
    """The ledger of some subjects, oldest step first."""
    if not subject_ids:
        return []
    columns = ", ".join(field.name for field in fields(StepRecord))
    marks = ", ".join("?" * len(subject_ids))
    rows = execute(
        f"SELECT {columns} FROM step WHERE subject_id IN ({marks}) ORDER BY id", subject_ids
    )
    return [StepRecord(*row) for row in rows.fetchall()]


def is_under_way(subject_id: str, stages: Sequence[str]) -> bool:
    """Whether a step of one of these stages is open for the subject."""
    return bool(
        Step.select()
        .where(
            Step.subject_id == subject_id,
            Step.stage.in_(list(stages)),
            Step.status.in_(("pending", "running")),
        )
        .exists()
    )


def open_steps() -> dict[str, int]:
    """How many steps are pending and running."""
    rows = (
        Step.select(Step.status, fn.COUNT(Step.id))
        .where(Step.status.in_(("pending", "running")))
        .group_by(Step.status)
    )
    return {"pending": 0, "running": 0, **dict(_tuples(rows))}


def _refs(*conditions: object) -> list[StepRef]:
    rows = Step.select(Step.id, Step.stage, Step.not_before).where(*conditions).order_by(Step.id)
    return [StepRef(*row) for row in _tuples(rows)]


def _tuples(query: ModelSelect[Any]) -> Iterator[tuple[Any, ...]]:
    return iter(query.tuples())
