"""Named queries on delays of prompts that end by themselves.

What writes expects to run inside the caller's transaction.
"""

from __future__ import annotations

from agenttower.clock import Micros
from agenttower.store.models import PromptDelay

MOST = 500
"""How many prompts go on in one transaction."""


def start(message_id: str, due_at: Micros) -> None:
    """The prompt goes on at ``due_at``, unless somebody decides otherwise before."""
    PromptDelay.insert(message_id=message_id, due_at=due_at).execute()


def end(message_id: str) -> None:
    """The prompt is not delayed any more; nothing happens where it had no such delay."""
    PromptDelay.delete().where(PromptDelay.message_id == message_id).execute()


def due(now: Micros) -> list[str]:
    """The prompts whose time has come, the one that waited longest first."""
    query = (
        PromptDelay.select()
        .where(PromptDelay.due_at <= now)
        .order_by(PromptDelay.due_at, PromptDelay.message_id)
        .limit(MOST)
    )
    return [str(row.message_id) for row in query]


def next_due() -> Micros | None:
    """When the next one goes on."""
    row = PromptDelay.select().order_by(PromptDelay.due_at).first()
    return None if row is None else int(row.due_at)


def of(message_id: str) -> Micros | None:
    """When this prompt goes on; ``None`` where it waits for somebody, or does not wait."""
    row = PromptDelay.get_or_none(PromptDelay.message_id == message_id)
    return None if row is None else int(row.due_at)
