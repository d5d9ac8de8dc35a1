"""``routes.*``: rules that turn events into prompts (legacy surfaces part 2, sections 9, 10)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from agenttower.domain.agent_events import AGENT_EVENT_TYPES
from agenttower.domain.route_decision import RenderProblem, SkipReason
from agenttower.protocol.declaration import Declaration, Gate
from agenttower.protocol.panes import OfCaller
from agenttower.protocol.values import AgentId, ContainerId, Count, RowNumber, Time, Uuid

ScopeKind = Literal["any", "agent_id", "role"]
TargetRule = Literal["explicit", "source", "role"]
MasterRule = Literal["auto", "explicit"]


# --- parameters ----------------------------------------------------------------------------------


class AddRoute(msgspec.Struct, frozen=True):
    """``routes.add``. What is not in a set is refused by the member's own code."""

    event_type: Annotated[str, Meta(extra_json_schema={"enum": list(AGENT_EVENT_TYPES)})]
    target_rule: Annotated[str, Meta(extra_json_schema={"enum": ["explicit", "source", "role"]})]
    template: Annotated[str, Meta(description="text with fields in braces, at most 4 KiB")]
    source_scope_kind: Annotated[
        str, Meta(extra_json_schema={"enum": ["any", "agent_id", "role"]})
    ] = "any"
    source_scope_value: Annotated[
        str | None, Meta(description="an agent's id, or `role:<role>[,capability:<cap>]`")
    ] = None
    target_value: Annotated[str | None, Meta(description="an agent's id or label, or `role:…`")] = (
        None
    )
    master_rule: Annotated[str, Meta(extra_json_schema={"enum": ["auto", "explicit"]})] = "auto"
    master_value: Annotated[str | None, Meta(description="an agent's id")] = None
    caller_pane: OfCaller = None


class ListRoutes(msgspec.Struct, frozen=True):
    """``routes.list``."""

    enabled_only: bool = False


class ShowRoute(msgspec.Struct, frozen=True):
    """``routes.show``."""

    route_id: str


class ChangeRoute(msgspec.Struct, frozen=True):
    """``routes.remove``, ``routes.enable`` and ``routes.disable``."""

    route_id: str
    caller_pane: OfCaller = None


class PreviewRoute(msgspec.Struct, frozen=True):
    """``routes.preview``, additive: exactly one of ``route_id`` and ``route``."""

    event_id: RowNumber
    route_id: Annotated[str | None, Meta(description="a route that exists")] = None
    route: Annotated[AddRoute | None, Meta(description="one that is described as for `add`")] = None


# --- results -------------------------------------------------------------------------------------


class SourceScope(msgspec.Struct, frozen=True):
    """Whose events a route heeds."""

    kind: ScopeKind
    value: str | None


class Route(msgspec.Struct, frozen=True):
    """The route object (section 10)."""

    route_id: Uuid
    event_type: Annotated[str, Meta(extra_json_schema={"enum": list(AGENT_EVENT_TYPES)})]
    source_scope: SourceScope
    target_rule: TargetRule
    target_value: str | None
    master_rule: MasterRule
    master_value: str | None
    template: str
    enabled: bool
    last_consumed_event_id: Count
    created_at: Time
    updated_at: Time
    created_by_agent_id: str | None
    container_id: Annotated[
        ContainerId | UnsetType, Meta(description="the bench that it is confined to; additive")
    ] = UNSET


class Runtime(msgspec.Struct, frozen=True):
    """What a route has done (section 10.3); the last two are additive."""

    last_routing_cycle_at: Time | None
    events_consumed: Count
    last_skip_reason: SkipReason | None
    last_skip_at: Time | None
    lag: Annotated[int, Meta(ge=0, description="events that wait for it")]
    braked_until: Time | None


class RouteWithRuntime(Route, frozen=True, kw_only=True):
    """A route, and what it has done."""

    runtime: Runtime


class Routes(msgspec.Struct, frozen=True):
    """By when they were made."""

    routes: list[Route]


class Changed(msgspec.Struct, frozen=True):
    """What was done to a route, also where it was so already."""

    route_id: Uuid
    operation: Literal["removed", "enabled", "disabled"]
    at: Time


class Previewed(msgspec.Struct, frozen=True):
    """What a route would make of an event. Of an event that it does not heed there is no more
    than the first four members."""

    event_id: Annotated[int, Meta(ge=1)]
    route_id: str | None
    text: str | None
    decision: Literal["matched", "skipped", "not_concerned"]
    winner_master_agent_id: AgentId | UnsetType | None = UNSET
    target_agent_id: AgentId | UnsetType | None = UNSET
    target_label: str | UnsetType | None = UNSET
    reason: SkipReason | UnsetType | None = UNSET
    event_excerpt: str | UnsetType = UNSET
    sub_reason: Annotated[
        RenderProblem | UnsetType | None, Meta(description="only where it is `skipped`")
    ] = UNSET


# --- declarations --------------------------------------------------------------------------------

_RULE = (
    "route_event_type_invalid",
    "route_master_rule_invalid",
    "route_target_rule_invalid",
    "route_source_scope_invalid",
    "route_template_invalid",
)
_CHANGE = ("route_id_not_found", "operator_pane_inactive", "daemon_shutting_down")

ADD = Declaration(
    name="routes.add",
    summary="Make a rule that turns events into prompts.",
    gate=Gate.KNOWN,
    params=AddRoute,
    result=Route,
    errors=(*_RULE, "route_creation_failed", "operator_pane_inactive", "daemon_shutting_down"),
)
LIST = Declaration(
    name="routes.list",
    summary="Routes.",
    gate=Gate.KNOWN,
    params=ListRoutes,
    result=Routes,
)
SHOW = Declaration(
    name="routes.show",
    summary="One route, and what it has done.",
    gate=Gate.KNOWN,
    params=ShowRoute,
    result=RouteWithRuntime,
    errors=("route_id_not_found",),
)
REMOVE = Declaration(
    name="routes.remove",
    summary="Delete a route.",
    gate=Gate.KNOWN,
    params=ChangeRoute,
    result=Changed,
    errors=_CHANGE,
)
ENABLE = Declaration(
    name="routes.enable",
    summary="Let a route go on from where it stands.",
    gate=Gate.KNOWN,
    params=ChangeRoute,
    result=Changed,
    errors=_CHANGE,
)
DISABLE = Declaration(
    name="routes.disable",
    summary="Stop a route where it stands.",
    gate=Gate.KNOWN,
    params=ChangeRoute,
    result=Changed,
    errors=_CHANGE,
)
PREVIEW = Declaration(
    name="routes.preview",
    summary="What a route would make of an event; nothing is written.",
    gate=Gate.KNOWN,
    params=PreviewRoute,
    result=Previewed,
    errors=(*_RULE, "route_id_not_found", "event_id_not_found"),
    additive=True,
)
