"""Prompts as the wire shows them (legacy surfaces part 2, section 3.1)."""

from __future__ import annotations

from typing import Any

from agenttower.clock import to_millis, to_millis_or_none
from agenttower.domain.prompts import BlockReason, Identity
from agenttower.store import prompt_delays
from agenttower.store.prompts import PromptRecord


def prompt_view(prompt: PromptRecord) -> dict[str, Any]:
    """The row as the wire shows it (section 3.1). ``form``, ``detail``, ``submission``,
    ``submission_reason`` and ``delayed_until`` are additive."""
    delayed = prompt.block_reason is BlockReason.OPERATOR_DELAYED
    return {
        "message_id": prompt.message_id,
        "state": prompt.state,
        "block_reason": prompt.block_reason,
        "failure_reason": prompt.failure_reason,
        "sender": identity_view(prompt.sender),
        "target": identity_view(prompt.target),
        "envelope_size_bytes": prompt.envelope_size_bytes,
        "envelope_body_sha256": prompt.envelope_body_sha256,
        "enqueued_at": to_millis(prompt.enqueued_at),
        "delivery_attempt_started_at": to_millis_or_none(prompt.delivery_attempt_started_at),
        "delivered_at": to_millis_or_none(prompt.delivered_at),
        "failed_at": to_millis_or_none(prompt.failed_at),
        "canceled_at": to_millis_or_none(prompt.canceled_at),
        "last_updated_at": to_millis(prompt.last_updated_at),
        "operator_action": prompt.operator_action,
        "operator_action_at": to_millis_or_none(prompt.operator_action_at),
        "operator_action_by": prompt.operator_action_by,
        "origin": prompt.origin,
        "route_id": prompt.route_id,
        "event_id": prompt.event_id,
        "excerpt": prompt.excerpt,
        "form": prompt.form,
        "detail": prompt.failure_detail,
        "submission": prompt.submission,
        "submission_reason": prompt.submission_reason,
        "delayed_until": to_millis_or_none(
            prompt_delays.of(prompt.message_id) if delayed else None
        ),
    }


def identity_view(who: Identity) -> dict[str, Any]:
    """Sender or target as rows and audit lines show them."""
    return {
        "agent_id": who.agent_id,
        "label": who.label,
        "role": who.role,
        "capability": who.capability or None,
    }
