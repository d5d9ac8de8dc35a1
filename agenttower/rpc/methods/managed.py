"""``managed.layout.*``, ``managed.pane.*`` and ``managed.event.list`` (managed.md section 3).

``managed.layout.watch`` and ``managed.event.list`` are additive. Both answer at once where there is
news, and otherwise wait for it, up to ``wait_seconds``, without holding a thread.
"""

from __future__ import annotations

from typing import Any

from agenttower.domain.states import State
from agenttower.rpc.method import Call, Gate, Method, Pending, Result
from agenttower.rpc.schemas import (
    CreateLayout,
    LayoutDetail,
    ListEvents,
    ListLayouts,
    ListPanes,
    PaneDetail,
    WatchLayout,
    strict,
)
from agenttower.rpc.services import Services


def managed_methods(services: Services) -> dict[str, Method[Any]]:
    """The ``managed.*`` table over one set of services."""

    def create(call: Call[CreateLayout]) -> Result:
        wanted = call.params
        return services.create_layout(
            call.caller,
            container_id=wanted.container_id,
            template_name=wanted.template_name,
            tmux_session_name=wanted.tmux_session_name,
            launch_command_overrides=wanted.launch_command_overrides or {},
            idempotency_key=wanted.idempotency_key,
            label_prefix=wanted.label_prefix or "",
        )

    def list_layouts(call: Call[ListLayouts]) -> Result:
        wanted = call.params
        return services.list_layouts(
            call.caller,
            container_id=wanted.container_id,
            states=_states(wanted.state),
            limit=wanted.limit,
            after=wanted.after,
        )

    def layout_detail(call: Call[LayoutDetail]) -> Result:
        return services.layout_detail(
            call.caller,
            call.params.layout_id,
            include_terminal_panes=call.params.include_terminal_panes,
        )

    def watch(call: Call[WatchLayout]) -> Result | Pending:
        wanted = call.params
        if call.resumed and not call.final:
            revision = services.layout_revision(wanted.layout_id)
            if revision is not None and revision <= wanted.after_revision:
                return Pending(call.asked_at + wanted.wait_seconds)
        detail = services.layout_detail(call.caller, wanted.layout_id, include_terminal_panes=False)
        news = detail["revision"]
        if call.final or not isinstance(news, int) or news > wanted.after_revision:
            return {"layout": detail}
        return Pending(call.asked_at + wanted.wait_seconds)

    def list_panes(call: Call[ListPanes]) -> Result:
        wanted = call.params
        return services.list_panes(
            call.caller,
            container_id=wanted.container_id,
            layout_id=wanted.layout_id,
            states=_states(wanted.state),
            limit=wanted.limit,
            after=wanted.after,
        )

    def pane_detail(call: Call[PaneDetail]) -> Result:
        return services.pane_detail(
            call.caller,
            call.params.pane_id,
            include_predecessor_chain=call.params.include_predecessor_chain,
        )

    def list_events(call: Call[ListEvents]) -> Result | Pending:
        wanted = call.params
        page = services.list_events(
            call.caller,
            container_id=wanted.container_id,
            layout_id=wanted.layout_id,
            pane_id=wanted.pane_id,
            after=wanted.after,
            limit=wanted.limit,
        )
        if call.final or page["events"]:
            return page
        return Pending(call.asked_at + wanted.wait_seconds)

    return {
        "managed.layout.create": Method(strict(CreateLayout), create, Gate.CONTAINER),
        "managed.layout.list": Method(strict(ListLayouts), list_layouts, Gate.KNOWN),
        "managed.layout.detail": Method(strict(LayoutDetail), layout_detail, Gate.KNOWN),
        "managed.layout.watch": Method(strict(WatchLayout), watch, Gate.KNOWN),
        "managed.pane.list": Method(strict(ListPanes), list_panes, Gate.KNOWN),
        "managed.pane.detail": Method(strict(PaneDetail), pane_detail, Gate.KNOWN),
        "managed.event.list": Method(strict(ListEvents), list_events, Gate.KNOWN),
    }


def _states(state: State | list[State] | None) -> tuple[str, ...]:
    """No state given, or an empty list, filters nothing."""
    if state is None:
        return ()
    return (state,) if isinstance(state, str) else tuple(state)
