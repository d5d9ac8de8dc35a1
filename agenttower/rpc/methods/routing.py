"""``routing.*``: the kill switch (legacy surfaces part 2, section 7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agenttower.errors import RoutingToggleHostOnly
from agenttower.protocol import prompts
from agenttower.protocol.declaration import NoParams
from agenttower.protocol.prompts import Toggle
from agenttower.rpc.method import Call, Method, Result, entry
from agenttower.rpc.methods.prompts import refuse_at_the_end
from agenttower.rpc.schemas import lenient
from agenttower.rpc.services import Services
from agenttower.services.switch import DISABLED, ENABLED


def routing_methods(services: Services) -> dict[str, Method[Any]]:
    """The switch, over one set of services. It refuses by its own code, so no gate is before it."""

    def toggle(value: str) -> Callable[[Call[Toggle]], Result]:
        def switch(call: Call[Toggle]) -> Result:
            refuse_at_the_end(call)
            if call.params.caller_pane is not None:
                raise RoutingToggleHostOnly
            return services.routing.toggle(call.caller, value)

        return switch

    def status(_call: Call[NoParams]) -> Result:
        return services.routing.status()

    return dict(
        (
            entry(prompts.ENABLE, lenient, toggle(ENABLED)),
            entry(prompts.DISABLE, lenient, toggle(DISABLED)),
            entry(prompts.SWITCH, lenient, status),
        )
    )
