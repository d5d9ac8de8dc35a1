"""``queue.*`` (legacy surfaces part 2, section 6).

Who sends waits for the delivery without holding a thread. ``queue.operator_input`` and
``queue.show`` are additive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agenttower.clock import Micros
from agenttower.errors import DaemonShuttingDown
from agenttower.rpc.method import Call, Gate, Method, Pending, Result
from agenttower.rpc.schemas_prompts import (
    ActOnPrompt,
    ListPrompts,
    Sending,
    ShowPrompt,
    complete,
    decode_list,
    decode_operator_input,
    decode_send_input,
)
from agenttower.rpc.services import Services
from agenttower.services.caller import Caller
from agenttower.services.pane_claims import PaneClaim
from agenttower.store.prompts import Filters


def prompt_methods(services: Services) -> dict[str, Method[Any]]:
    """The queue, over one set of services."""

    def send_input(call: Call[Sending]) -> Result | Pending:
        wanted = call.params
        if not call.resumed:
            refuse_at_the_end(call)
            services.prompts.send(
                call.caller, wanted.message_id, wanted.claim, wanted.target, wanted.body
            )
        return awaited(call, wanted.message_id, {})

    def operator_input(call: Call[Sending]) -> Result | Pending:
        wanted = call.params
        if not call.resumed:
            refuse_at_the_end(call)
        # Asked again, the key finds what was accepted the first time.
        message_id, repeated = wanted.message_id, False
        if not call.resumed or wanted.idempotency_key is not None:
            message_id, repeated = services.prompts.send_as_operator(
                call.caller,
                wanted.message_id,
                wanted.target,
                wanted.body,
                form=wanted.form,
                idempotency_key=wanted.idempotency_key,
            )
        return awaited(call, message_id, {"deduplicated": repeated})

    def awaited(call: Call[Sending], message_id: str, more: dict[str, object]) -> Result | Pending:
        row, settled = services.prompts.outcome(message_id)
        until = call.asked_at + call.params.wait_s
        if settled or call.final or call.params.wait_s == 0:
            return {**row, **more}
        return Pending(until)

    def show(call: Call[ShowPrompt]) -> Result | Pending:
        wanted = call.params
        row = services.prompts.show(call.caller, wanted.message_id)
        if call.final or row["last_updated_at"] != wanted.after:
            return row
        return Pending(call.asked_at + wanted.wait_seconds)

    def listing(call: Call[tuple[ListPrompts, Micros | None]]) -> Result:
        wanted, since = call.params
        return services.prompts.listing(
            call.caller,
            Filters(
                state=wanted.state,
                target=wanted.target,
                sender=wanted.sender,
                since=since,
                origin=wanted.origin,
                limit=wanted.limit,
            ),
        )

    return {
        "queue.send_input": Method(decode_send_input, send_input, Gate.KNOWN),
        "queue.operator_input": Method(decode_operator_input, operator_input, Gate.HOST),
        "queue.show": Method(complete(ShowPrompt), show, Gate.KNOWN),
        "queue.list": Method(decode_list, listing, Gate.KNOWN),
        "queue.approve": _operators(lambda *asked: services.prompts.approve(*asked)),
        "queue.delay": _operators(lambda *asked: services.prompts.delay(*asked)),
        "queue.cancel": _operators(lambda *asked: services.prompts.cancel(*asked)),
    }


def _operators(
    act: Callable[[Caller, str, PaneClaim | None], Result],
) -> Method[ActOnPrompt]:
    """A method by which an operator decides on one prompt."""

    def handler(call: Call[ActOnPrompt]) -> Result:
        refuse_at_the_end(call)
        pane = call.params.caller_pane
        return act(call.caller, call.params.message_id, None if pane is None else pane.claim)

    return Method(complete(ActOnPrompt), handler, Gate.KNOWN)


def refuse_at_the_end(call: Call[Any]) -> None:
    """Refuse what would change something once the server stops.

    Only then is the first run of a request the last. :raises DaemonShuttingDown: then.
    """
    if call.final and not call.resumed:
        raise DaemonShuttingDown
