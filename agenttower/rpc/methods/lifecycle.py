"""``managed.pane.remove|recreate|promote_from_adopted`` and ``managed.layout.remove`` (M6 to M9).

A removal waits for its durable operation without holding a thread; the operation goes on whether or
not anybody waits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agenttower.errors import NotImplementedYet, RemovalUnderWay
from agenttower.protocol import managed
from agenttower.protocol.managed import RecreatePane, RemoveLayout, RemovePane
from agenttower.rpc.method import Call, Method, Params, Pending, Result, entry
from agenttower.rpc.schemas import strict
from agenttower.rpc.services import Services

REMOVAL_WAIT_S = 35.0


def lifecycle_methods(services: Services) -> dict[str, Method[Any]]:
    """What ends and renews panes, over one set of services."""

    def remove_pane(call: Call[RemovePane]) -> Result | Pending:
        pane_id = call.params.pane_id
        if not call.resumed:
            services.begin_pane_removal(call.caller, pane_id)
        return _removed(services.pane_removal(pane_id), call)

    def remove_layout(call: Call[RemoveLayout]) -> Result | Pending:
        layout_id = call.params.layout_id
        if not call.resumed:
            services.begin_layout_removal(call.caller, layout_id)
        return _removed(services.layout_removal(layout_id), call)

    def recreate(call: Call[RecreatePane]) -> Result:
        wanted = call.params
        return services.recreate_pane(
            call.caller,
            predecessor_pane_id=wanted.predecessor_pane_id,
            launch_command_override=wanted.launch_command_override,
            idempotency_key=wanted.idempotency_key,
        )

    def promote(_call: Call[Params]) -> Result:
        raise NotImplementedYet(
            "adopted panes cannot be promoted to managed ones; create a layout instead",
            reserved_since="FEAT-013",
        )

    return dict(
        (
            entry(managed.REMOVE_PANE, strict, remove_pane),
            entry(managed.RECREATE, strict, recreate),
            entry(managed.PROMOTE, _as_given, promote),
            entry(managed.REMOVE_LAYOUT, strict, remove_layout),
        )
    )


def _as_given(_: object) -> Callable[[Params], Params]:
    """What is reserved is refused whatever the parameters (M8)."""
    return lambda params: params


def _removed(outcome: Result | None, call: Call[Any]) -> Result | Pending:
    """The outcome of a removal, waited for at most 35 s (M6); it goes on in any case."""
    if outcome is not None:
        return outcome
    if call.final:
        raise RemovalUnderWay
    return Pending(call.asked_at + REMOVAL_WAIT_S)
