"""``queue.*`` (legacy surfaces part 2, section 6).

Who sends waits for the delivery without holding a thread. ``queue.operator_input`` and
``queue.show`` are additive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agenttower.clock import Micros
from agenttower.errors import DaemonShuttingDown
from agenttower.protocol import prompts
from agenttower.protocol.prompts import ActOnPrompt, ListPrompts, ShowPrompt
from agenttower.rpc.method import Call, Method, Pending, Result, entry
from agenttower.rpc.schemas_prompts import (
    Sending,
    claim_of,
    complete,
    filters,
    from_a_pane,
    from_the_host,
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

    return dict(
        (
            entry(prompts.SEND_INPUT, from_a_pane, send_input),
            entry(prompts.OPERATOR_INPUT, from_the_host, operator_input),
            entry(prompts.SHOW, complete, show),
            entry(prompts.LIST, filters, listing),
            entry(
                prompts.APPROVE,
                complete,
                _deciding(lambda *asked: services.prompts.approve(*asked)),
            ),
            entry(
                prompts.DELAY, complete, _deciding(lambda *asked: services.prompts.delay(*asked))
            ),
            entry(
                prompts.CANCEL, complete, _deciding(lambda *asked: services.prompts.cancel(*asked))
            ),
        )
    )


def _deciding(
    act: Callable[[Caller, str, PaneClaim | None], Result],
) -> Callable[[Call[ActOnPrompt]], Result]:
    """A handler by which an operator decides on one prompt."""

    def decide(call: Call[ActOnPrompt]) -> Result:
        refuse_at_the_end(call)
        wanted = call.params
        return act(call.caller, wanted.message_id, claim_of(wanted.caller_pane))

    return decide


def refuse_at_the_end(call: Call[Any]) -> None:
    """Refuse what would change something once the server stops.

    Only then is the first run of a request the last. :raises DaemonShuttingDown: then.
    """
    if call.final and not call.resumed:
        raise DaemonShuttingDown
