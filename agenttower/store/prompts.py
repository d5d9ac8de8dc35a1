"""Named queries on the prompt queue. Every change of state names the state it expects.

What writes expects to run inside the caller's transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from agenttower.clock import MILLISECOND, SECOND, Micros
from agenttower.domain.prompts import BlockReason, FailureReason, Form, Identity, PromptState
from agenttower.store.database import Store
from agenttower.store.models.base import execute

CLOCK_SLIP: Micros = 60 * SECOND
"""An ``enqueued_at`` further ahead than this is a clock that was set back, and not followed."""


@dataclass(frozen=True, slots=True)
class PromptRecord:
    """A row of ``prompt`` without its body."""

    id: int
    message_id: str
    state: PromptState
    block_reason: BlockReason | None
    failure_reason: FailureReason | None
    failure_detail: str | None
    form: Form
    sender_agent_id: str
    sender_label: str
    sender_role: str
    sender_capability: str | None
    target_agent_id: str
    target_label: str
    target_role: str
    target_capability: str | None
    target_container_id: str
    target_pane: str
    envelope_size_bytes: int
    envelope_body_sha256: str
    excerpt: str
    origin: str
    route_id: str | None
    event_id: int | None
    enqueued_at: Micros
    delivery_attempt_started_at: Micros | None
    delivered_at: Micros | None
    failed_at: Micros | None
    canceled_at: Micros | None
    last_updated_at: Micros
    operator_action: str | None
    operator_action_at: Micros | None
    operator_action_by: str | None
    lease_owner: str | None
    submission: str | None
    submission_reason: str | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", PromptState(self.state))
        object.__setattr__(self, "form", Form(self.form))
        if self.block_reason is not None:
            object.__setattr__(self, "block_reason", BlockReason(self.block_reason))
        if self.failure_reason is not None:
            object.__setattr__(self, "failure_reason", FailureReason(self.failure_reason))

    @property
    def sender(self) -> Identity:
        return Identity(
            self.sender_agent_id, self.sender_label, self.sender_role, self.sender_capability
        )

    @property
    def target(self) -> Identity:
        return Identity(
            self.target_agent_id, self.target_label, self.target_role, self.target_capability
        )

    @property
    def in_flight(self) -> bool:
        """Whether a worker is delivering it."""
        return self.state is PromptState.QUEUED and self.delivery_attempt_started_at is not None


@dataclass(frozen=True, slots=True)
class Filters:
    """What ``queue.list`` narrows by; ``scope`` is the only container that may be shown."""

    state: str | None = None
    target: str | None = None
    sender: str | None = None
    since: Micros | None = None
    origin: str | None = None
    scope: str | None = None
    limit: int = 100


_COLUMNS = ", ".join(field.name for field in fields(PromptRecord))


# --- reading -------------------------------------------------------------------------------------


def find(message_id: str) -> PromptRecord | None:
    """The prompt of this id."""
    return _first("message_id = ?", message_id)


def find_by_key(sender_agent_id: str, idempotency_key: str) -> PromptRecord | None:
    """What a sender has asked for under this key."""
    return _first("sender_agent_id = ? AND idempotency_key = ?", sender_agent_id, idempotency_key)


def body(message_id: str) -> bytes:
    """The stored body; storage is what delivered bytes come from."""
    row = execute("SELECT envelope_body FROM prompt WHERE message_id = ?", (message_id,)).fetchone()
    return bytes(row[0])


def listing(wanted: Filters) -> list[PromptRecord]:
    """Prompts in the order in which they were accepted."""
    conditions = {
        "state = ?": wanted.state,
        "target_agent_id = ?": wanted.target,
        "sender_agent_id = ?": wanted.sender,
        "origin = ?": wanted.origin,
        "enqueued_at >= ?": wanted.since,
        "target_container_id = ?": wanted.scope,
    }
    given = {condition: value for condition, value in conditions.items() if value is not None}
    where = " AND ".join(given) or "id > 0"
    return list(_records(f"{where} ORDER BY id LIMIT ?", *given.values(), wanted.limit))


def waiting_targets() -> list[tuple[str, str]]:
    """Agents for whom a prompt waits, each with its container, the longest waiting first."""
    rows = execute(
        "SELECT target_agent_id, target_container_id FROM prompt WHERE state = 'queued'"
        " AND delivery_attempt_started_at IS NULL"
        " GROUP BY target_agent_id, target_container_id ORDER BY MIN(id)"
    )
    return [(str(row[0]), str(row[1])) for row in rows.fetchall()]


def next_in_line(target_agent_id: str) -> PromptRecord | None:
    """The oldest prompt that waits for this agent, unless one is being delivered to it."""
    if _first(
        "target_agent_id = ? AND state = 'queued' AND delivery_attempt_started_at IS NOT NULL",
        target_agent_id,
    ):
        return None
    return _first(
        "target_agent_id = ? AND state = 'queued' AND delivery_attempt_started_at IS NULL"
        " ORDER BY id",
        target_agent_id,
    )


def in_flight() -> list[PromptRecord]:
    """Every prompt that is being delivered, or was when its worker died."""
    return list(_records("state = 'queued' AND delivery_attempt_started_at IS NOT NULL"))


def open_for(target_agent_id: str) -> list[PromptRecord]:
    """What waits for an agent, queued or blocked, and is not being delivered."""
    return list(
        _records(
            "target_agent_id = ? AND state IN ('queued', 'blocked')"
            " AND delivery_attempt_started_at IS NULL ORDER BY id",
            target_agent_id,
        )
    )


# --- writing -------------------------------------------------------------------------------------


def next_moment(now: Micros) -> Micros:
    """The stamp of the next prompt: whole milliseconds, each later than the one before.

    The wire shows milliseconds, and readers sort by them (legacy surfaces part 2, section 4.1).
    """
    now -= now % MILLISECOND
    row = execute("SELECT enqueued_at FROM prompt ORDER BY id DESC LIMIT 1").fetchone()
    last = None if row is None else int(row[0])
    if last is not None and now <= last < now + CLOCK_SLIP:
        return last + MILLISECOND
    return now


def insert(row: Mapping[str, object]) -> PromptRecord:
    """Write a new prompt."""
    marks = ", ".join("?" * len(row))
    written = execute(
        f"INSERT INTO prompt ({', '.join(row)}) VALUES ({marks}) RETURNING {_COLUMNS}",
        tuple(row.values()),
    ).fetchone()
    return PromptRecord(*written)


def change(prompt: PromptRecord, now: Micros, **changes: object) -> PromptRecord | None:
    """Change a prompt if it still is as in the record; ``None`` where somebody else was first."""
    columns = {"last_updated_at": now, **changes}
    attempt = prompt.delivery_attempt_started_at
    same = "delivery_attempt_started_at " + ("IS NULL" if attempt is None else "= ?")
    row = execute(
        f"UPDATE prompt SET {', '.join(f'{column} = ?' for column in columns)}"
        f" WHERE id = ? AND state = ? AND {same} RETURNING {_COLUMNS}",
        (*columns.values(), prompt.id, prompt.state, *([] if attempt is None else [attempt])),
    ).fetchone()
    return None if row is None else PromptRecord(*row)


def append_audit(
    store: Store,
    payload: Mapping[str, object],
    *,
    agent_id: str,
    container_id: str | None,
    actor: str,
    now: Micros,
) -> None:
    """Write a line of what became of a prompt, or of the switch, into the outbox."""
    store.execute(
        "INSERT INTO event (kind, event_type, actor, container_id, agent_id,"
        " payload, created_at) VALUES ('queue', ?, ?, ?, ?, ?, ?)",
        (
            payload["event_type"],
            actor,
            container_id,
            agent_id,
            json.dumps(payload, ensure_ascii=False),
            now,
        ),
    )


def _first(condition: str, *parameters: object) -> PromptRecord | None:
    return next(_records(f"{condition} LIMIT 1", *parameters), None)


def _records(condition: str, *parameters: object) -> Iterator[PromptRecord]:
    rows: list[Any] = execute(
        f"SELECT {_COLUMNS} FROM prompt WHERE {condition}", parameters
    ).fetchall()
    return (PromptRecord(*row) for row in rows)
