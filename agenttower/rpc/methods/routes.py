"""``routes.*`` (legacy surfaces part 2, section 10), and ``routes.preview``, which is additive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agenttower.protocol import routes
from agenttower.protocol.routes import AddRoute, ChangeRoute, ListRoutes, PreviewRoute, ShowRoute
from agenttower.rpc.method import Call, Method, Result, entry
from agenttower.rpc.methods.prompts import refuse_at_the_end
from agenttower.rpc.schemas import lenient
from agenttower.rpc.schemas_prompts import claim_of, complete
from agenttower.rpc.schemas_routes import preview, rule_of
from agenttower.rpc.services import Services


def route_methods(services: Services) -> dict[str, Method[Any]]:
    """The ``routes.*`` table over one set of services."""

    def add(call: Call[AddRoute]) -> Result:
        refuse_at_the_end(call)
        return services.routes.add(
            call.caller, rule_of(call.params), claim_of(call.params.caller_pane)
        )

    def listing(call: Call[ListRoutes]) -> Result:
        return services.routes.listing(call.caller, enabled_only=call.params.enabled_only)

    def show(call: Call[ShowRoute]) -> Result:
        return services.routes.show(call.caller, call.params.route_id)

    def remove(call: Call[ChangeRoute]) -> Result:
        refuse_at_the_end(call)
        wanted = call.params
        return services.routes.remove(call.caller, wanted.route_id, claim_of(wanted.caller_pane))

    def switch(enabled: bool) -> Callable[[Call[ChangeRoute]], Result]:
        def run(call: Call[ChangeRoute]) -> Result:
            refuse_at_the_end(call)
            wanted = call.params
            claim = claim_of(wanted.caller_pane)
            return services.routes.switch(
                call.caller, wanted.route_id, enabled=enabled, claim=claim
            )

        return run

    def look_ahead(call: Call[PreviewRoute]) -> Result:
        wanted = call.params
        return services.routes.preview(
            call.caller,
            wanted.event_id,
            route_id=wanted.route_id,
            rule=None if wanted.route is None else rule_of(wanted.route),
        )

    return dict(
        (
            entry(routes.ADD, complete, add),
            entry(routes.LIST, lenient, listing),
            entry(routes.SHOW, complete, show),
            entry(routes.REMOVE, complete, remove),
            entry(routes.ENABLE, complete, switch(True)),
            entry(routes.DISABLE, complete, switch(False)),
            entry(routes.PREVIEW, preview, look_ahead),
        )
    )
