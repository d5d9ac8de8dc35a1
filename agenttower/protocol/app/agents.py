"""``app.agent.register_from_pane``, ``app.agent.update``, ``app.log.attach``, ``app.log.detach``
(app surface, sections 14 to 16)."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from agenttower.domain.permissions import Role
from agenttower.protocol.app.entities import Agent
from agenttower.protocol.declaration import Declaration, Gate

Text = Annotated[str, Meta(min_length=1)]
Index = Annotated[int, Meta(ge=0)]
Capability = Annotated[str, Meta(min_length=1, max_length=128)]
LABEL = "trimmed; no CR or LF inside, at most 256 characters after that"
PATH = "absolute, without a `..` segment or control characters, at most 4096 characters"


class RegisterFromPane(msgspec.Struct, frozen=True):
    """Section 14."""

    container_id: Annotated[Text, Meta(description="all 64 digits")]
    tmux_socket: Annotated[Text, Meta(description="as the pane list shows it, like all six")]
    session_name: Text
    window_index: Index
    pane_index: Index
    pane_id: Annotated[Text, Meta(description="such as `%0`")]
    role: Annotated[Role, Meta(description="any but `master`; `swarm` needs a parent")]
    capability: Capability
    label: Annotated[str, Meta(description=LABEL)]
    project_path: Annotated[str, Meta(description=PATH)] | UnsetType = UNSET
    parent_agent_id: (
        Annotated[Text, Meta(description="an active slave; only where `role` is `swarm`")]
        | UnsetType
    ) = UNSET
    attach_log: Annotated[bool, Meta(description="agent and log together, or neither")] = False


class UpdateAgent(msgspec.Struct, frozen=True):
    """Section 15. What is left out stays as it is."""

    agent_id: Text
    role: Annotated[Role, Meta(description="any but `swarm`")] | UnsetType = UNSET
    capability: Capability | UnsetType = UNSET
    label: Annotated[str, Meta(description=f"{LABEL}; empty for none")] | UnsetType = UNSET
    project_path: Annotated[str, Meta(description=f"{PATH}; empty for none")] | UnsetType = UNSET


class LogOfAgent(msgspec.Struct, frozen=True):
    """Section 16."""

    agent_id: Text


class OneAgent(msgspec.Struct, frozen=True):
    row: Agent


REGISTER_FROM_PANE = Declaration(
    name="app.agent.register_from_pane",
    summary="Adopt a discovered pane: make it a registered agent.",
    gate=Gate.HOST,
    params=RegisterFromPane,
    result=OneAgent,
    errors=(
        "validation_failed",
        "pane_not_found",
        "pane_already_registered",
        "agent_not_found",
        "container_inactive",
        "log_attach_blocked",
    ),
    session=True,
)
UPDATE = Declaration(
    name="app.agent.update",
    summary="Change role, capability, label or project path of an agent, all or nothing.",
    gate=Gate.HOST,
    params=UpdateAgent,
    result=OneAgent,
    errors=("validation_failed", "agent_not_found", "container_inactive"),
    session=True,
)
ATTACH_LOG = Declaration(
    name="app.log.attach",
    summary="Start the durable log of an agent's pane.",
    gate=Gate.HOST,
    params=LogOfAgent,
    result=OneAgent,
    errors=("validation_failed", "agent_not_found", "container_inactive", "log_attach_blocked"),
    session=True,
)
DETACH_LOG = Declaration(
    name="app.log.detach",
    summary="Stop it; where there is none, that is a success.",
    gate=Gate.HOST,
    params=LogOfAgent,
    result=OneAgent,
    errors=("validation_failed", "agent_not_found", "container_inactive"),
    session=True,
)
