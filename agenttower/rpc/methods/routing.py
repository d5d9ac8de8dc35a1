"""``routing.*``: the kill switch (legacy surfaces part 2, section 7)."""

from __future__ import annotations

from typing import Any

from agenttower.errors import RoutingToggleHostOnly
from agenttower.rpc.method import Call, Gate, Method, Result
from agenttower.rpc.methods.prompts import refuse_at_the_end
from agenttower.rpc.schemas import NoParams, lenient
from agenttower.rpc.schemas_prompts import Toggle
from agenttower.rpc.services import Services
from agenttower.services.switch import DISABLED, ENABLED


def routing_methods(services: Services) -> dict[str, Method[Any]]:
    """The switch, over one set of services. It refuses by its own code, so no gate is before it."""

    def toggle(value: str) -> Method[Toggle]:
        def switch(call: Call[Toggle]) -> Result:
            refuse_at_the_end(call)
            if call.params.caller_pane is not None:
                raise RoutingToggleHostOnly
            return services.routing.toggle(call.caller, value)

        return Method(lenient(Toggle), switch, Gate.ANYONE)

    def status(_call: Call[NoParams]) -> Result:
        return services.routing.status()

    return {
        "routing.enable": toggle(ENABLED),
        "routing.disable": toggle(DISABLED),
        "routing.status": Method(lenient(NoParams), status, Gate.ANYONE),
    }
