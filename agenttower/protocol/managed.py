"""``managed.*``: layouts and panes that AgentTower makes (managed.md section 3).

``app.managed_*`` takes and answers the same. There what is not known is ignored; here it is
refused.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from agenttower.domain.states import State
from agenttower.protocol.declaration import Declaration, Gate, NoParams
from agenttower.protocol.managed_results import (
    Created,
    Layout,
    LayoutRemoved,
    Layouts,
    LifecycleEvents,
    Panes,
    PaneWithChain,
    Recreated,
    Removed,
    Watched,
)
from agenttower.protocol.values import Limit, RowNumber, WaitSeconds

OfContainer = Annotated[str | None, Meta(description="only of this bench: its id or name")]
OfStates = Annotated[State | list[State] | None, Meta(description="only in these states")]
Cursor = Annotated[str | None, Meta(description="`next` of the page before")]


class CreateLayout(msgspec.Struct, frozen=True):
    """M1."""

    container_id: Annotated[str, Meta(description="id (64 or 12 digits) or name of a bench")]
    template_name: Annotated[str, Meta(description="a built-in template, or one of yours")]
    tmux_session_name: Annotated[str, Meta(description="name of the new session")]
    launch_command_overrides: Annotated[
        dict[str, str] | None, Meta(description='`"<role>:<label>"` to the name of a profile')
    ] = None
    idempotency_key: Annotated[
        str | None, Meta(description="the same key gives the same layout, per container")
    ] = None
    label_prefix: Annotated[str | None, Meta(description="put before every label; additive")] = None


class ListLayouts(msgspec.Struct, frozen=True):
    """M2."""

    container_id: OfContainer = None
    state: OfStates = None
    limit: Limit = 50
    after: Cursor = None


class LayoutDetail(msgspec.Struct, frozen=True):
    """M3."""

    layout_id: str
    include_terminal_panes: Annotated[
        bool, Meta(description="also removed panes, and failed ones that were replaced")
    ] = False


class WatchLayout(msgspec.Struct, frozen=True):
    """Additive: wait until a layout is past a revision."""

    layout_id: str
    after_revision: Annotated[
        RowNumber, Meta(description="answer as soon as the layout's `revision` is greater")
    ] = 0
    wait_seconds: WaitSeconds = 0.0


class ListPanes(msgspec.Struct, frozen=True):
    """M4."""

    container_id: OfContainer = None
    layout_id: Annotated[str | None, Meta(description="only of this layout, which must exist")] = (
        None
    )
    state: OfStates = None
    limit: Limit = 50
    after: Cursor = None


class PaneDetail(msgspec.Struct, frozen=True):
    """M5."""

    pane_id: str
    include_predecessor_chain: Annotated[
        bool, Meta(description="also the panes that this one replaced")
    ] = False


class RemovePane(msgspec.Struct, frozen=True):
    """M6."""

    pane_id: str


class RecreatePane(msgspec.Struct, frozen=True):
    """M7."""

    predecessor_pane_id: Annotated[str, Meta(description="a pane that is `removed` or `failed`")]
    launch_command_override: Annotated[
        str | None, Meta(description="another profile than the predecessor's")
    ] = None
    idempotency_key: Annotated[
        str | None, Meta(description="the same key gives the same successor")
    ] = None


class RemoveLayout(msgspec.Struct, frozen=True):
    """M9."""

    layout_id: str


class ListEvents(msgspec.Struct, frozen=True):
    """Additive: events after an id, waiting for the next where there is none."""

    container_id: OfContainer = None
    layout_id: Annotated[str | None, Meta(description="only of this layout")] = None
    pane_id: Annotated[str | None, Meta(description="only of this pane")] = None
    after: Annotated[RowNumber, Meta(description="only events with a greater `event_id`")] = 0
    limit: Limit = 50
    wait_seconds: WaitSeconds = 0.0


_HEALTH = ("docker_unavailable", "tmux_unavailable", "worker_unavailable")

CREATE = Declaration(
    name="managed.layout.create",
    summary="Make a layout: a tmux session with the panes of a template.",
    gate=Gate.CONTAINER,
    params=CreateLayout,
    result=Created,
    errors=(
        "container_not_found",
        "container_inactive",
        *_HEALTH,
        "managed_template_not_found",
        "managed_launch_command_not_found",
        "managed_session_name_conflict",
        "managed_pane_label_conflict",
        "managed_layout_capacity_exceeded",
    ),
    strict=True,
)
LIST_LAYOUTS = Declaration(
    name="managed.layout.list",
    summary="Layouts, a page at a time.",
    gate=Gate.KNOWN,
    params=ListLayouts,
    result=Layouts,
    strict=True,
)
LAYOUT_DETAIL = Declaration(
    name="managed.layout.detail",
    summary="One layout with its panes.",
    gate=Gate.KNOWN,
    params=LayoutDetail,
    result=Layout,
    errors=("managed_layout_not_found",),
    strict=True,
)
WATCH = Declaration(
    name="managed.layout.watch",
    summary="One layout, as soon as it changes.",
    gate=Gate.KNOWN,
    params=WatchLayout,
    result=Watched,
    errors=("managed_layout_not_found",),
    additive=True,
    strict=True,
)
LIST_PANES = Declaration(
    name="managed.pane.list",
    summary="Panes, a page at a time.",
    gate=Gate.KNOWN,
    params=ListPanes,
    result=Panes,
    errors=("managed_layout_not_found",),
    strict=True,
)
PANE_DETAIL = Declaration(
    name="managed.pane.detail",
    summary="One pane.",
    gate=Gate.KNOWN,
    params=PaneDetail,
    result=PaneWithChain,
    errors=("managed_pane_not_found",),
    strict=True,
)
REMOVE_PANE = Declaration(
    name="managed.pane.remove",
    summary="End a pane, and wait until it is gone.",
    gate=Gate.KNOWN,
    params=RemovePane,
    result=Removed,
    errors=(
        "managed_pane_not_found",
        "managed_pane_protected_adopted",
        "managed_pane_illegal_transition",
        "worker_unavailable",
    ),
    strict=True,
)
RECREATE = Declaration(
    name="managed.pane.recreate",
    summary="A new pane in the place of one that is gone.",
    gate=Gate.KNOWN,
    params=RecreatePane,
    result=Recreated,
    errors=(
        "managed_pane_not_found",
        "managed_pane_protected_adopted",
        "managed_pane_illegal_recreate_source",
        "managed_pane_recreate_chain_too_deep",
        "managed_pane_concurrent_recreate",
        "managed_launch_command_not_found",
        "container_not_found",
        "container_inactive",
        *_HEALTH,
        "managed_session_name_conflict",
        "managed_pane_label_conflict",
        "managed_layout_capacity_exceeded",
    ),
    strict=True,
)
PROMOTE = Declaration(
    name="managed.pane.promote_from_adopted",
    summary="Reserved; always refused.",
    gate=Gate.OPEN,
    params=NoParams,
    result=NoParams,
    errors=("not_implemented",),
)
REMOVE_LAYOUT = Declaration(
    name="managed.layout.remove",
    summary="End every pane of a layout, and wait until they are gone.",
    gate=Gate.KNOWN,
    params=RemoveLayout,
    result=LayoutRemoved,
    errors=(
        "managed_layout_not_found",
        "managed_pane_illegal_transition",
        "worker_unavailable",
    ),
    additive=True,
    strict=True,
)
LIST_EVENTS = Declaration(
    name="managed.event.list",
    summary="Lifecycle events after an id, as soon as there are any.",
    gate=Gate.KNOWN,
    params=ListEvents,
    result=LifecycleEvents,
    additive=True,
    strict=True,
)
