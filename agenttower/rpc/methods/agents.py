"""``scan_panes``, ``list_panes``, ``register_agent``, ``set_role``, ``set_label`` and
``set_capability`` (legacy surfaces part 1, sections 7 and 8).

R12 lets a bench client do all of this in its own container; only the operator makes masters.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, structs

from agenttower.errors import AgentTowerError, RegistrationUnderWay, ValueOutOfSet
from agenttower.protocol import agents, discovery
from agenttower.protocol.agents import RegisterAgent, SetCapability, SetLabel, SetRole
from agenttower.protocol.discovery import ListFoundPanes, ScanPanes
from agenttower.rpc.method import Call, Method, Params, Pending, Result, entry
from agenttower.rpc.methods.logs import CHANGE_WAIT_S
from agenttower.rpc.schemas import lenient
from agenttower.rpc.schemas_agents import of_agents
from agenttower.rpc.schemas_logs import Order, ordering
from agenttower.rpc.services_agents import AgentServices

PANE_SCAN_DEADLINE_S = 90.0
"""A scan looks at each container for 12 s at most, eight side by side. So long may it take, and
before that so long may it wait for its turn, without holding a thread."""

S = TypeVar("S", bound=msgspec.Struct)

_PANE_ID = re.compile(r"%[0-9]+")
_OPTIONAL = ("role", "capability", "label", "project_path", "parent_agent_id")


def agent_methods(services: AgentServices) -> dict[str, Method[Any]]:
    """The methods that find panes and say who lives in them, over one set of services."""

    def our_schema() -> object:
        return services.status(whole=False)["schema_version"]

    def scan_panes(call: Call[ScanPanes]) -> Result | Pending:
        done = services.scan_panes(call.caller, call.params.container)
        if done is not None:
            return done
        if call.final:
            raise AgentTowerError("other scans for panes are still under way; try again")
        return Pending(call.asked_at + PANE_SCAN_DEADLINE_S)

    def list_panes(call: Call[ListFoundPanes]) -> Result:
        wanted = call.params
        return services.list_found_panes(
            call.caller, active_only=wanted.active_only, container=wanted.container
        )

    def register(call: Call[Order[RegisterAgent]]) -> Result | Pending:
        return _register(services, call)

    def set_role(call: Call[SetRole]) -> Result:
        wanted = call.params
        return services.set_role(call.caller, wanted.agent_id, wanted.role, confirm=wanted.confirm)

    def set_label(call: Call[SetLabel]) -> Result:
        return services.set_label(call.caller, call.params.agent_id, call.params.label)

    def set_capability(call: Call[SetCapability]) -> Result:
        return services.set_capability(call.caller, call.params.agent_id, call.params.capability)

    def shaped(struct: type[S]) -> Callable[[Params], S]:
        return of_agents(struct, our_schema)

    def ordered(struct: type[S]) -> Callable[[Params], Order[S]]:
        return ordering(shaped(struct))

    return dict(
        (
            entry(discovery.SCAN_PANES, lenient, scan_panes, deadline_s=PANE_SCAN_DEADLINE_S),
            entry(discovery.LIST_PANES, lenient, list_panes),
            entry(agents.REGISTER, ordered, register),
            entry(agents.SET_ROLE, shaped, set_role),
            entry(agents.SET_LABEL, shaped, set_label),
            entry(agents.SET_CAPABILITY, shaped, set_capability),
        )
    )


def _register(services: AgentServices, call: Call[Order[RegisterAgent]]) -> Result | Pending:
    """Register at once; with a log, wait for the worker without holding a thread."""
    wanted, change_id = call.params.params, call.params.change_id
    key = wanted.pane_composite_key
    if key.container_id != wanted.container_id:
        raise ValueOutOfSet("container_id and pane_composite_key.container_id must be the same")
    if not _PANE_ID.fullmatch(key.tmux_pane_id):
        raise ValueOutOfSet("pane_composite_key.tmux_pane_id must look like %0")
    named = {name: getattr(wanted, name) for name in _OPTIONAL}
    given = {name: value for name, value in named.items() if value is not UNSET}
    if wanted.attach_log is None:
        return services.register_agent(call.caller, structs.asdict(key), given)
    path = None if wanted.attach_log.log_path is UNSET else wanted.attach_log.log_path
    begun = services.begin_registration(call.caller, change_id, structs.asdict(key), given, path)
    outcome = services.registration_outcome(change_id) if begun else None
    if outcome is not None:
        return outcome
    if call.final:
        raise RegistrationUnderWay
    return Pending(call.asked_at + CHANGE_WAIT_S)
