"""``managed.layout.*``, ``managed.pane.*`` and ``managed.event.list`` (managed.md section 3).

``managed.layout.watch`` and ``managed.event.list`` are additive. Both answer at once where there is
news, and otherwise wait for it, up to ``wait_seconds``, without holding a thread.
"""

from __future__ import annotations

from typing import Any

from agenttower.domain.states import State
from agenttower.protocol import managed
from agenttower.protocol.managed import (
    CreateLayout,
    LayoutDetail,
    ListEvents,
    ListLayouts,
    ListPanes,
    PaneDetail,
    WatchLayout,
)
from agenttower.rpc.method import Call, Method, Pending, Result, entry
from agenttower.rpc.schemas import strict
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

    return dict(
        (
            entry(managed.CREATE, strict, create),
            entry(managed.LIST_LAYOUTS, strict, list_layouts),
            entry(managed.LAYOUT_DETAIL, strict, layout_detail),
            entry(managed.WATCH, strict, watch),
            entry(managed.LIST_PANES, strict, list_panes),
            entry(managed.PANE_DETAIL, strict, pane_detail),
            entry(managed.LIST_EVENTS, strict, list_events),
        )
    )


def _states(state: State | list[State] | None) -> tuple[str, ...]:
    """No state given, or an empty list, filters nothing."""
    if state is None:
        return ()
    return (state,) if isinstance(state, str) else tuple(state)
