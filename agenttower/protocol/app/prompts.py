"""``app.send_input`` and ``app.queue.*`` (app surface, sections 17 and 18)."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from agenttower.protocol.app.entities import Message, QueueState
from agenttower.protocol.declaration import Declaration, Gate

PAYLOAD_LIMIT = 16_384
"""Bytes of a payload as canonical JSON."""
REASON_LIMIT = 256

MessageId = Annotated[str, Meta(min_length=1)]


class SendInput(msgspec.Struct, frozen=True):
    """Section 17."""

    target_agent_id: Annotated[str, Meta(min_length=1)]
    payload: Annotated[
        dict[str, Any],
        Meta(description="the agent gets it as JSON with sorted keys, at most 16384 bytes"),
    ]
    idempotency_key: (
        Annotated[str, Meta(max_length=256, description="asks for one prompt, however often sent")]
        | UnsetType
    ) = UNSET


class Enqueued(msgspec.Struct, frozen=True):
    message_id: str
    state: QueueState
    deduplicated: bool


class Approve(msgspec.Struct, frozen=True):
    """Section 18."""

    message_id: MessageId


class Delay(msgspec.Struct, frozen=True):
    """Section 18."""

    message_id: MessageId
    delay_ms: Annotated[int, Meta(ge=0, description="it goes on by itself so long from now")]


class Cancel(msgspec.Struct, frozen=True):
    """Section 18."""

    message_id: MessageId
    reason: (
        Annotated[
            str,
            Meta(description="for the audit row; trimmed, and then at most 256 characters"),
        ]
        | UnsetType
    ) = UNSET


class OneMessage(msgspec.Struct, frozen=True):
    row: Message


SEND_INPUT = Declaration(
    name="app.send_input",
    summary="Put a structured prompt for an agent into the queue; it does not wait for delivery.",
    gate=Gate.HOST,
    params=SendInput,
    result=Enqueued,
    errors=("validation_failed", "agent_not_found", "routing_disabled", "permission_denied"),
    session=True,
)
APPROVE = Declaration(
    name="app.queue.approve",
    summary="Let a blocked prompt go.",
    gate=Gate.HOST,
    params=Approve,
    result=OneMessage,
    errors=("validation_failed", "queue_message_not_found", "stale_object", "routing_disabled"),
    session=True,
)
DELAY = Declaration(
    name="app.queue.delay",
    summary="Hold a queued prompt back for a time.",
    gate=Gate.HOST,
    params=Delay,
    result=OneMessage,
    errors=("validation_failed", "queue_message_not_found", "stale_object"),
    session=True,
)
CANCEL = Declaration(
    name="app.queue.cancel",
    summary="Give up a prompt that has not been delivered.",
    gate=Gate.HOST,
    params=Cancel,
    result=OneMessage,
    errors=("validation_failed", "queue_message_not_found", "stale_object"),
    session=True,
)
