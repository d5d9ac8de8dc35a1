"""``routes.*`` (legacy surfaces part 2, section 10), and ``routes.preview``, which is additive."""

from __future__ import annotations

from typing import Any

from agenttower.rpc.method import Call, Gate, Method, Result
from agenttower.rpc.methods.prompts import refuse_at_the_end
from agenttower.rpc.schemas import lenient
from agenttower.rpc.schemas_prompts import complete
from agenttower.rpc.schemas_routes import (
    AddRoute,
    ChangeRoute,
    ListRoutes,
    PreviewRoute,
    ShowRoute,
    claim_of,
    preview,
)
from agenttower.rpc.services import Services


def route_methods(services: Services) -> dict[str, Method[Any]]:
    """The ``routes.*`` table over one set of services."""

    def add(call: Call[AddRoute]) -> Result:
        refuse_at_the_end(call)
        return services.routes.add(call.caller, call.params.rule, claim_of(call.params.caller_pane))

    def listing(call: Call[ListRoutes]) -> Result:
        return services.routes.listing(call.caller, enabled_only=call.params.enabled_only)

    def show(call: Call[ShowRoute]) -> Result:
        return services.routes.show(call.caller, call.params.route_id)

    def remove(call: Call[ChangeRoute]) -> Result:
        refuse_at_the_end(call)
        wanted = call.params
        return services.routes.remove(call.caller, wanted.route_id, claim_of(wanted.caller_pane))

    def switch(enabled: bool) -> Method[ChangeRoute]:
        def run(call: Call[ChangeRoute]) -> Result:
            refuse_at_the_end(call)
            wanted = call.params
            claim = claim_of(wanted.caller_pane)
            return services.routes.switch(
                call.caller, wanted.route_id, enabled=enabled, claim=claim
            )

        return Method(complete(ChangeRoute), run, Gate.KNOWN)

    def look_ahead(call: Call[PreviewRoute]) -> Result:
        wanted = call.params
        return services.routes.preview(
            call.caller,
            wanted.event_id,
            route_id=wanted.route_id,
            rule=None if wanted.route is None else wanted.route.rule,
        )

    return {
        "routes.add": Method(complete(AddRoute), add, Gate.KNOWN),
        "routes.list": Method(lenient(ListRoutes), listing, Gate.KNOWN),
        "routes.show": Method(complete(ShowRoute), show, Gate.KNOWN),
        "routes.remove": Method(complete(ChangeRoute), remove, Gate.KNOWN),
        "routes.enable": switch(True),
        "routes.disable": switch(False),
        "routes.preview": Method(preview, look_ahead, Gate.KNOWN),
    }
