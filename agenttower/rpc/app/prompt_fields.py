"""Decoding what ``app.*`` says of prompts (app surface, sections 17 and 18)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from msgspec import UNSET

from agenttower.domain.canonical_json import canonical_json
from agenttower.domain.cleaning import clean
from agenttower.errors import ValidationFailed
from agenttower.protocol.app.prompts import PAYLOAD_LIMIT, REASON_LIMIT, Cancel, SendInput
from agenttower.protocol.declaration import Params
from agenttower.rpc.app.decode import app_params

_send = app_params(SendInput)
_cancel = app_params(Cancel)


@dataclass(frozen=True, slots=True)
class Sending:
    """Parameters of ``app.send_input``, and the id that the prompt gets if it is a new one."""

    target_agent_id: str
    body: bytes
    idempotency_key: str | None
    message_id: str


@dataclass(frozen=True, slots=True)
class Canceling:
    """Parameters of ``app.queue.cancel``."""

    message_id: str
    reason: str | None


def send_params(params: Params) -> Sending:
    """Decode ``app.send_input``. :raises ValidationFailed: for the first field."""
    wanted = _send(params)
    key = None if wanted.idempotency_key is UNSET else wanted.idempotency_key
    return Sending(wanted.target_agent_id, _body(wanted.payload), key, str(uuid.uuid4()))


def cancel_params(params: Params) -> Canceling:
    """Decode ``app.queue.cancel``. :raises ValidationFailed: for the first field."""
    wanted = _cancel(params)
    if wanted.reason is UNSET:
        return Canceling(wanted.message_id, None)
    reason = wanted.reason.strip()
    if len(reason) > REASON_LIMIT:
        raise ValidationFailed("reason", f"max length {REASON_LIMIT}")
    return Canceling(wanted.message_id, clean(reason) or None)


def _body(payload: dict[str, object]) -> bytes:
    try:
        body = canonical_json(payload)
    except (ValueError, RecursionError) as error:
        raise ValidationFailed("payload", "cannot be written as JSON") from error
    if len(body) > PAYLOAD_LIMIT:
        raise ValidationFailed("payload", "too large")
    return body
