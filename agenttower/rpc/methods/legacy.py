"""``ping``, ``status``, ``shutdown``, ``scan_containers``, ``list_containers``, ``list_agents``.

Legacy surfaces part 1, sections 5, 6 and 8.4. The contract has no gate on these methods; R12
forbids a bench client to act beyond its own container, so ``shutdown`` and ``scan_containers`` are
for the host, and a bench client's lists show its own container only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import msgspec

from agenttower.domain.identifiers import is_agent_id, is_container_id
from agenttower.domain.permissions import Role
from agenttower.errors import UnknownFilter, ValueOutOfSet
from agenttower.rpc.method import Call, Gate, Method, Params, Result
from agenttower.rpc.schemas import ListContainers, NoParams, lenient
from agenttower.rpc.schemas_agents import check_schema
from agenttower.rpc.services import Services

SCAN_DEADLINE_S = 90.0
"""A scan makes several engine calls of at most 5 s each, and waits its turn behind another."""

_AGENT_FILTERS = ("role", "container_id", "active_only", "parent_agent_id")


class ListAgents(msgspec.Struct, frozen=True):
    """Filters of ``list_agents``, checked."""

    roles: list[str] | None
    container_id: str | None
    active_only: bool
    parent_agent_id: str | None


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
        return services.list_agents(
            wanted.roles,
            wanted.container_id,
            wanted.active_only,
            wanted.parent_agent_id,
            call.caller.scope,
        )

    def agent_filters(params: Params) -> ListAgents:
        return decode_agent_filters(params, lambda: services.status(whole=False)["schema_version"])

    none = lenient(NoParams)
    return {
        "ping": Method(none, ping, Gate.OPEN),
        "status": Method(none, status, Gate.ANYONE),
        "shutdown": Method(none, shutdown, Gate.HOST, stops_server=True),
        "scan_containers": Method(none, scan_containers, Gate.HOST, deadline_s=SCAN_DEADLINE_S),
        "list_containers": Method(lenient(ListContainers), list_containers, Gate.KNOWN),
        "list_agents": Method(agent_filters, list_agents, Gate.KNOWN),
    }


def decode_agent_filters(params: Params, our_schema: Callable[[], object]) -> ListAgents:
    """Check the parameters of ``list_agents``: schema hint, unknown keys, then values.

    A wrong type is ``value_out_of_set`` here, because the method's catalogue has no
    ``bad_request``; only the schema hint has one (section 4).

    :param our_schema: this daemon's schema version; asked only where the client states its own.
    :raises SchemaVersionNewer: our schema is newer than the client's.
    :raises UnknownFilter: a key that is no filter.
    :raises ValueOutOfSet: a value outside its set or shape.
    """
    if "schema_version" in params:
        check_schema(params["schema_version"], our_schema())
    unknown = [key for key in params if key not in (*_AGENT_FILTERS, "schema_version")]
    if unknown:
        raise UnknownFilter(
            f"unknown filter {unknown[0][:64]!r}; known are {', '.join(_AGENT_FILTERS)}"
        )
    active_only = params.get("active_only", False)
    if not isinstance(active_only, bool):
        raise ValueOutOfSet("active_only must be true or false")
    return ListAgents(
        roles=_roles(params["role"]) if "role" in params else None,
        container_id=_matching(params, "container_id", is_container_id, "12 or 64 lower-case hex"),
        active_only=active_only,
        parent_agent_id=_matching(params, "parent_agent_id", is_agent_id, "agt_ and 12 hex"),
    )


def _roles(value: object) -> list[str] | None:
    wanted = cast("list[str]", value if isinstance(value, list) else [value])
    for role in wanted:
        if role not in list(Role):
            raise ValueOutOfSet(f"role must be one of {', '.join(Role)}, not {str(role)[:64]!r}")
    return wanted or None


def _matching(params: Params, name: str, fits: Callable[[str], bool], shape: str) -> str | None:
    if name not in params:
        return None
    value = params[name]
    if not isinstance(value, str) or not fits(value):
        raise ValueOutOfSet(f"{name} must be {shape} characters, not {str(value)[:80]!r}")
    return value
