"""``ping``, ``status``, ``shutdown``, ``scan_containers``, ``list_containers``, ``list_agents``.

Legacy surfaces part 1, sections 5, 6 and 8.4. The contract has no gate on these methods; R12
forbids a bench client to act beyond its own container, so ``shutdown`` and ``scan_containers`` are
for the host, and a bench client's lists show its own container only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import UNSET

from agenttower.domain.permissions import Role
from agenttower.protocol import agents, daemon, discovery
from agenttower.protocol.agents import ListAgents
from agenttower.protocol.declaration import NoParams
from agenttower.protocol.discovery import ListContainers
from agenttower.rpc.method import Call, Method, Params, Result, entry
from agenttower.rpc.schemas import lenient
from agenttower.rpc.schemas_agents import agent_filters
from agenttower.rpc.services import Services

SCAN_DEADLINE_S = 90.0
"""A scan makes several engine calls of at most 5 s each, and waits its turn behind another."""


def legacy_methods(services: Services) -> dict[str, Method[Any]]:
    """The legacy table over one set of services."""

    def ping(_call: Call[NoParams]) -> Result:
        return {}

    def status(call: Call[NoParams]) -> Result:
        return services.status(whole=call.caller.kind == "host")

    def shutdown(_call: Call[NoParams]) -> Result:
        return {"shutting_down": True}

    def scan_containers(_call: Call[NoParams]) -> Result:
        return services.scan_containers()

    def list_containers(call: Call[ListContainers]) -> Result:
        found = services.list_containers(call.params.active_only, call.caller.scope)
        return {**found, "caller_container_id": call.caller.scope}

    def list_agents(call: Call[ListAgents]) -> Result:
        wanted = call.params
        roles = [wanted.role] if isinstance(wanted.role, Role) else wanted.role
        return services.list_agents(
            [role.value for role in roles] if roles else None,
            None if wanted.container_id is UNSET else wanted.container_id,
            wanted.active_only,
            None if wanted.parent_agent_id is UNSET else wanted.parent_agent_id,
            call.caller.scope,
        )

    def filtered(struct: type[ListAgents]) -> Callable[[Params], ListAgents]:
        return agent_filters(struct, lambda: services.status(whole=False)["schema_version"])

    return dict(
        (
            entry(daemon.PING, lenient, ping),
            entry(daemon.STATUS, lenient, status),
            entry(daemon.SHUTDOWN, lenient, shutdown, stops_server=True),
            entry(discovery.SCAN_CONTAINERS, lenient, scan_containers, deadline_s=SCAN_DEADLINE_S),
            entry(discovery.LIST_CONTAINERS, lenient, list_containers),
            entry(agents.LIST, filtered, list_agents),
        )
    )
