"""``app.send_input`` and ``app.queue.*`` (app surface, sections 17 and 18)."""

from __future__ import annotations

from typing import Any

from agenttower.domain.identifiers import is_agent_id
from agenttower.errors import AgentNotFound, MessageNotFound
from agenttower.protocol.app.prompts import (
    APPROVE,
    CANCEL,
    DELAY,
    SEND_INPUT,
    Approve,
    Delay,
    OneMessage,
)
from agenttower.rpc.app import refusals
from agenttower.rpc.app.binding import InSession, app_method, asking
from agenttower.rpc.app.prompt_fields import Canceling, Sending, cancel_params, send_params
from agenttower.rpc.app.refusals import refusing_as
from agenttower.rpc.app.sessions import AppSession, AppSessions
from agenttower.rpc.method import Call, Method, Result
from agenttower.rpc.services import Services


def prompt_methods(services: Services, sessions: AppSessions) -> dict[str, Method[Any]]:
    """Sending and deciding, over one set of services. The operator on the host does both."""

    def send(call: Call[InSession[Sending]]) -> Result:
        wanted = call.params.params
        if not is_agent_id(wanted.target_agent_id):  # a label is none here
            raise AgentNotFound(wanted.target_agent_id)
        message_id, repeated = services.prompts.send_as_operator(
            asking(call),
            wanted.message_id,
            wanted.target_agent_id,
            wanted.body,
            idempotency_key=_scoped(call.params.session, wanted.idempotency_key),
            all_or_nothing=True,
        )
        row, _ = services.prompts.outcome(message_id)
        return {"message_id": message_id, "state": row["state"], "deduplicated": repeated}

    def approve(call: Call[InSession[Approve]]) -> Result:
        message_id = call.params.params.message_id
        services.prompts.approve(asking(call), message_id, None)
        return _row(services, message_id)

    def delay(call: Call[InSession[Delay]]) -> Result:
        wanted = call.params.params
        services.prompts.delay(asking(call), wanted.message_id, None, delay_ms=wanted.delay_ms)
        return _row(services, wanted.message_id)

    def cancel(call: Call[InSession[Canceling]]) -> Result:
        wanted = call.params.params
        services.prompts.cancel(asking(call), wanted.message_id, None, told=wanted.reason)
        return _row(services, wanted.message_id)

    return {
        SEND_INPUT.name: app_method(
            SEND_INPUT,
            refusing_as(refusals.SEND_INPUT, send),
            sessions,
            decode=send_params,
        ),
        APPROVE.name: app_method(APPROVE, refusing_as(refusals.QUEUE, approve), sessions),
        DELAY.name: app_method(DELAY, refusing_as(refusals.QUEUE, delay), sessions),
        CANCEL.name: app_method(
            CANCEL, refusing_as(refusals.QUEUE, cancel), sessions, decode=cancel_params
        ),
    }


def _scoped(session: AppSession, key: str | None) -> str | None:
    """The key as it is stored: two sessions never share one, and nobody else can name it."""
    return None if key is None else f"app:{session.nonce}:{key}"


def _row(services: Services, message_id: str) -> OneMessage:
    row = services.app_rows.message(message_id)
    if row is None:
        raise MessageNotFound(message_id)
    return OneMessage(row)
