"""What ``managed.*`` and ``app.managed_*`` answer (managed.md sections 3 and 6)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from agenttower.domain.attention import AttentionKind
from agenttower.domain.events import Actor, EventType
from agenttower.domain.permissions import Role
from agenttower.domain.states import Stage, State
from agenttower.protocol.values import (
    AgentId,
    ContainerId,
    Count,
    RowNumber,
    Time,
    TmuxPaneId,
    Uuid,
)

Origin = Literal["managed"]


class NewPane(msgspec.Struct, frozen=True):
    """A pane of a layout that was accepted."""

    pane_id: Uuid
    role: Role
    label: str
    state: State


class Created(msgspec.Struct, frozen=True):
    """The layout as it is now (M1)."""

    layout_id: Uuid
    state: State
    intended_pane_count: Count
    panes: list[NewPane]
    replay: Annotated[bool, Meta(description="the idempotency key was known already")]


class Attention(msgspec.Struct, frozen=True):
    """What a pane waits for (additive)."""

    kind: AttentionKind
    text: str
    rule_id: str
    since: Time


class LayoutAttention(Attention, frozen=True):
    """The pane of a layout that has waited longest, and how many wait (additive)."""

    count: Annotated[int, Meta(ge=1)]
    label: str


class LayoutItem(msgspec.Struct, frozen=True):
    """A layout in a list."""

    layout_id: Uuid
    container_id: ContainerId
    template_name: str
    tmux_session_name: str
    state: State
    intended_pane_count: Count
    ready_pane_count: Count
    created_at: Time
    origin: Origin
    attention: LayoutAttention | None


class Layouts(msgspec.Struct, frozen=True):
    """A page of layouts (M2)."""

    items: list[LayoutItem]
    next: str | None


class StageView(msgspec.Struct, frozen=True):
    """How far a stage of a pane's creation has come (additive)."""

    status: Literal["waiting", "skipped", "pending", "running", "done", "failed"]
    attempts: Count
    started_at: Time | None
    finished_at: Time | None
    error: str | None
    next_attempt_at: Annotated[
        Time | UnsetType | None, Meta(description="only while `pending`; null: at once")
    ] = UNSET
    lease_until: Annotated[Time | UnsetType | None, Meta(description="only while `running`")] = (
        UNSET
    )


class Stages(msgspec.Struct, frozen=True):
    """The stages of a creation (FR-013)."""

    pane_create: StageView
    launch_command: StageView
    registration: StageView
    log_attach: StageView


class Restart(msgspec.Struct, frozen=True):
    """What the restart policy said: ``attempt`` with ``next_at``, or ``stopped`` (additive)."""

    attempt: int | UnsetType = UNSET
    next_at: Time | UnsetType = UNSET
    stopped: Annotated[str | UnsetType, Meta(description="why there will be none")] = UNSET


class Pane(msgspec.Struct, frozen=True):
    """A pane (managed.md section 3)."""

    pane_id: Uuid
    layout_id: Uuid
    container_id: ContainerId
    role: Role
    capability: str
    label: str
    state: State
    tmux_session_name: str
    tmux_pane_index: int | None
    tmux_pane_id: TmuxPaneId | None
    chain_depth: Count
    agent_id: AgentId | None
    predecessor_id: Uuid | None
    log_attached: bool
    log_path: str | None
    origin: Origin
    slot: Annotated[int, Meta(ge=0, description="the place in the template; never changes")]
    launch_command: Annotated[str | None, Meta(description="the profile's name; null: a shell")]
    exit_code: int | None
    failure_reason: str | None
    restart: Restart | None
    created_at: Time
    stages: Stages
    attention: Attention | None
    failed_stage: Annotated[
        Stage | UnsetType, Meta(description="left out where nothing failed")
    ] = UNSET


class Layout(msgspec.Struct, frozen=True):
    """A layout with its panes (M3)."""

    layout_id: Uuid
    container_id: ContainerId
    template_name: str
    tmux_session_name: str
    tmux_session_target: Annotated[str, Meta(description="the name as tmux writes it; additive")]
    state: State
    intended_pane_count: Count
    panes: Annotated[list[Pane], Meta(description="by slot")]
    created_at: Time
    updated_at: Time
    origin: Origin
    revision: Annotated[int, Meta(ge=0, description="rises with every change; additive")]
    attention: LayoutAttention | None
    failed_stage: Annotated[
        Stage | UnsetType, Meta(description="that of the first failed pane")
    ] = UNSET


class Watched(msgspec.Struct, frozen=True):
    """The layout, changed or not."""

    layout: Layout


class Panes(msgspec.Struct, frozen=True):
    """A page of panes (M4)."""

    items: list[Pane]
    next: str | None


class Predecessor(msgspec.Struct, frozen=True):
    """A pane that was replaced."""

    pane_id: Uuid
    state: State
    chain_depth: Count
    predecessor_id: Uuid | None


class PaneWithChain(Pane, frozen=True):
    """A pane, with those that it replaced where they were asked for (M5)."""

    predecessor_chain: Annotated[
        list[Predecessor] | UnsetType,
        Meta(description="nearest first, at most 16; only where it was asked for"),
    ] = UNSET


class Removed(msgspec.Struct, frozen=True):
    """The pane is gone (M6)."""

    pane_id: Uuid
    state: Literal["removed"]


class LayoutRemoved(msgspec.Struct, frozen=True):
    """Every pane of the layout is gone (M9)."""

    layout_id: Uuid
    state: State
    panes: list[Removed]


class Recreated(msgspec.Struct, frozen=True):
    """The successor as it is now (M7)."""

    pane_id: Uuid
    predecessor_id: Uuid
    chain_depth: Count
    state: State
    replay: bool


class Told(msgspec.Struct, frozen=True):
    """The payload of a lifecycle event; which keys there are depends on its type (section 6)."""

    template_name: str | UnsetType = UNSET
    container_id: str | UnsetType = UNSET
    intended_pane_count: int | UnsetType = UNSET
    prev_state: State | UnsetType = UNSET
    new_state: State | UnsetType = UNSET
    role: str | UnsetType = UNSET
    label: str | UnsetType = UNSET
    tmux_session_name: str | UnsetType = UNSET
    tmux_pane_index: int | UnsetType | None = UNSET
    predecessor_id: str | UnsetType = UNSET
    chain_depth: int | UnsetType = UNSET
    tmux_kill_succeeded: bool | UnsetType = UNSET
    marker_token: str | UnsetType = UNSET
    exit_code: int | UnsetType | None = UNSET
    elapsed_ms: int | UnsetType | None = UNSET
    reason: str | UnsetType = UNSET
    attempt: int | UnsetType = UNSET
    delay_ms: int | UnsetType = UNSET
    reattached_pane_ids: list[str] | UnsetType = UNSET
    failed_pane_ids: list[str] | UnsetType = UNSET
    failed_stage: Stage | UnsetType = UNSET


class LifecycleEvent(msgspec.Struct, frozen=True):
    """Something that happened to a layout or a pane (managed.md section 6)."""

    event_id: Annotated[int, Meta(ge=1)]
    timestamp: Time
    event_type: EventType
    origin: Origin
    actor: Actor
    container_id: ContainerId
    layout_id: Uuid
    pane_id: Uuid | None
    sequence: Annotated[int, Meta(ge=1, description="rises within the layout")]
    payload: Told


class LifecycleEvents(msgspec.Struct, frozen=True):
    """Oldest first; ``next`` is the last id shown, or ``after`` where there was none."""

    events: list[LifecycleEvent]
    next: RowNumber
