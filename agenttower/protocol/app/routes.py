"""``app.route.add``, ``app.route.remove``, ``app.route.update`` (app surface, section 19)."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from agenttower.domain.agent_events import AgentEventType
from agenttower.protocol.app.entities import Route, RouteMaster, RouteTarget, SourceScope
from agenttower.protocol.declaration import Declaration, Gate

RouteId = Annotated[str, Meta(min_length=1)]


class AddRoute(msgspec.Struct, frozen=True):
    """Section 19.1. Checked are event_type, master, target, source_scope, template, in this
    order."""

    event_type: AgentEventType
    target: Annotated[RouteTarget, Meta(examples=[{"rule": "source"}])]
    template: Annotated[str, Meta(description="text with `{field}`; braces are doubled")]
    source_scope: SourceScope = SourceScope()
    master: RouteMaster = RouteMaster()


class RemoveRoute(msgspec.Struct, frozen=True):
    """Section 19.2."""

    route_id: RouteId


class UpdateRoute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section 19.3: the one method that refuses what it does not know."""

    route_id: RouteId
    enabled: bool


class OneRoute(msgspec.Struct, frozen=True):
    row: Route


ADD = Declaration(
    name="app.route.add",
    summary="Subscribe a target to events; it never fires on events that exist already.",
    gate=Gate.HOST,
    params=AddRoute,
    result=OneRoute,
    errors=("validation_failed",),
    session=True,
)
REMOVE = Declaration(
    name="app.route.remove",
    summary="Delete a route for good; prompts that it made stay.",
    gate=Gate.HOST,
    params=RemoveRoute,
    result=OneRoute,
    errors=("validation_failed", "route_not_found"),
    session=True,
)
UPDATE = Declaration(
    name="app.route.update",
    summary="Enable or disable a route.",
    gate=Gate.HOST,
    params=UpdateRoute,
    result=OneRoute,
    errors=("validation_failed", "route_not_found"),
    session=True,
)
