"""The prompt queue as ``app.queue.list`` shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from agenttower.domain.app_ranks import STATE_PRIORITY
from agenttower.domain.list_filters import before, not_before
from agenttower.store.listing.pages import Lanes, Line, Listing, equal
from agenttower.store.prompts import PromptRecord


def _record(row: Sequence[Any]) -> PromptRecord:
    return PromptRecord(*row)


LISTING = Listing(
    table="prompt",
    source="prompt",
    columns=", ".join(f"prompt.{field.name}" for field in fields(PromptRecord)),
    record=_record,
    lines={
        "default": Line(
            ("prompt.enqueued_at", "prompt.id"),
            (str, int, int),
            Lanes("prompt.state", lambda: tuple(STATE_PRIORITY)),
        ),
        "enqueued_at": Line(("prompt.enqueued_at", "prompt.id"), (int, int)),
        "last_updated_at": Line(("prompt.last_updated_at", "prompt.id"), (int, int)),
    },
    filters={
        "state": equal("prompt.state"),
        "sender_agent_id": equal("prompt.sender_agent_id"),
        "target_agent_id": equal("prompt.target_agent_id"),
        "since": lambda millis: ("prompt.enqueued_at >= ?", (not_before(millis),)),
        "until": lambda millis: ("prompt.enqueued_at < ?", (before(millis),)),
    },
)
