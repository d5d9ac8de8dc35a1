"""``app.route.*`` mutations (app surface, section 19)."""

from __future__ import annotations

from typing import Any

from agenttower.domain.route_rules import Rule
from agenttower.errors import RouteNotFound
from agenttower.protocol.app.routes import ADD, REMOVE, UPDATE, OneRoute, RemoveRoute, UpdateRoute
from agenttower.rpc.app import refusals
from agenttower.rpc.app.binding import InSession, app_method, asking
from agenttower.rpc.app.refusals import refusing_as
from agenttower.rpc.app.route_fields import add_params
from agenttower.rpc.app.sessions import AppSessions
from agenttower.rpc.method import Call, Method, Result
from agenttower.rpc.services import Services
from agenttower.services.app_views import route_row


def route_methods(services: Services, sessions: AppSessions) -> dict[str, Method[Any]]:
    """Making, removing and switching routes, over one set of services."""

    def add(call: Call[InSession[Rule]]) -> Result:
        made = services.routes.add(asking(call), call.params.params, None)
        return _row(services, str(made["route_id"]))

    def remove(call: Call[InSession[RemoveRoute]]) -> Result:
        gone = services.routes.take_away(asking(call), call.params.params.route_id)
        return OneRoute(route_row(gone))

    def update(call: Call[InSession[UpdateRoute]]) -> Result:
        wanted = call.params.params
        services.routes.switch(asking(call), wanted.route_id, enabled=wanted.enabled, claim=None)
        return _row(services, wanted.route_id)

    def refusing(handler: Any) -> Any:
        return refusing_as(refusals.ROUTE, handler)

    return {
        ADD.name: app_method(ADD, refusing(add), sessions, decode=add_params),
        REMOVE.name: app_method(REMOVE, refusing(remove), sessions),
        UPDATE.name: app_method(UPDATE, refusing(update), sessions),
    }


def _row(services: Services, route_id: str) -> OneRoute:
    row = services.app_rows.route(route_id)
    if row is None:  # somebody removed it meanwhile
        raise RouteNotFound(route_id)
    return OneRoute(row)
