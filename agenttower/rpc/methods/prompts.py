"""``queue.*`` and ``routing.*`` (legacy surfaces part 2, sections 6 and 7).

Who sends waits for the delivery without holding a thread. ``queue.operator_input`` and
``queue.show`` are additive.
"""

from __future__ import annotations

from typing import Any

from agenttower.clock import Micros
from agenttower.errors import DaemonShuttingDown, RoutingToggleHostOnly
from agenttower.rpc.method import Call, Gate, Method, Pending, Result
from agenttower.rpc.schemas import NoParams, lenient
from agenttower.rpc.schemas_prompts import (
    ActOnPrompt,
    ListPrompts,
    OnePrompt,
    Sending,
    Toggle,
    complete,
    decode_list,
    decode_operator_input,
    decode_send_input,
)
from agenttower.rpc.services import Services
from agenttower.store.prompts import Filters


def prompt_methods(services: Services) -> dict[str, Method[Any]]:
    """The queue and the switch, over one set of services."""

    def send_input(call: Call[Sending]) -> Result | Pending:
        wanted = call.params
        if not call.resumed:
            _refuse_at_the_end(call)
            services.prompts.send(
                call.caller, wanted.message_id, wanted.claim, wanted.target, wanted.body
            )
        return awaited(call, wanted.message_id, {})

    def operator_input(call: Call[Sending]) -> Result | Pending:
        wanted = call.params
        if not call.resumed:
            _refuse_at_the_end(call)
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

    def awaited(call: Call[Sending], message_id: str, more: Result) -> Result | Pending:
        row, settled = services.prompts.outcome(message_id)
        until = call.asked_at + call.params.wait_s
        if settled or call.final or call.params.wait_s == 0:
            return {**row, **more}
        return Pending(until)

    def show(call: Call[OnePrompt]) -> Result:
        return services.prompts.show(call.caller, call.params.message_id)

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

    def approve(call: Call[ActOnPrompt]) -> Result:
        _refuse_at_the_end(call)
        return services.prompts.approve(call.caller, call.params.message_id, _claim(call))

    def delay(call: Call[ActOnPrompt]) -> Result:
        _refuse_at_the_end(call)
        return services.prompts.delay(call.caller, call.params.message_id, _claim(call))

    def cancel(call: Call[ActOnPrompt]) -> Result:
        _refuse_at_the_end(call)
        return services.prompts.cancel(call.caller, call.params.message_id, _claim(call))

    def toggle(value: str) -> Method[Toggle]:
        def switch(call: Call[Toggle]) -> Result:
            _refuse_at_the_end(call)
            if call.params.caller_pane is not None:
                raise RoutingToggleHostOnly
            return services.routing.toggle(call.caller, value)

        return Method(lenient(Toggle), switch, Gate.ANYONE)

    def status(_call: Call[NoParams]) -> Result:
        return services.routing.status()

    one = complete(ActOnPrompt)
    return {
        "queue.send_input": Method(decode_send_input, send_input, Gate.KNOWN),
        "queue.operator_input": Method(decode_operator_input, operator_input, Gate.HOST),
        "queue.show": Method(complete(OnePrompt), show, Gate.KNOWN),
        "queue.list": Method(decode_list, listing, Gate.KNOWN),
        "queue.approve": Method(one, approve, Gate.KNOWN),
        "queue.delay": Method(one, delay, Gate.KNOWN),
        "queue.cancel": Method(one, cancel, Gate.KNOWN),
        "routing.enable": toggle("enabled"),
        "routing.disable": toggle("disabled"),
        "routing.status": Method(lenient(NoParams), status, Gate.ANYONE),
    }


def _claim(call: Call[ActOnPrompt]) -> Any:
    pane = call.params.caller_pane
    return None if pane is None else pane.claim


def _refuse_at_the_end(call: Call[Any]) -> None:
    """Only a server that stops lets the first run of a request be the last."""
    if call.final and not call.resumed:
        raise DaemonShuttingDown
