"""``register_agent``, ``list_agents`` and ``set_*`` (legacy surfaces part 1, section 8)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from agenttower.domain.permissions import Role
from agenttower.protocol.declaration import Declaration, Gate
from agenttower.protocol.managed_results import Attention
from agenttower.protocol.values import (
    AgentId,
    AttachmentId,
    ContainerId,
    Count,
    RoleName,
    SchemaVersion,
    Time,
    TmuxPaneId,
)

Origin = Literal["managed", "adopted"]
Label = Annotated[str, Meta(description="what people call it; at most 64 characters")]
Capability = Annotated[str, Meta(description="what it is")]


# --- parameters ----------------------------------------------------------------------------------


class PaneCompositeKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The six parts that make a pane (section 7.1)."""

    container_id: str
    tmux_socket_path: str
    tmux_session_name: str
    tmux_window_index: int
    tmux_pane_index: int
    tmux_pane_id: str


class AttachLogToo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``attach_log`` of a registration holds."""

    log_path: Annotated[
        str | UnsetType, Meta(description="the usual place where it is left out")
    ] = UNSET


class RegisterAgent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An optional key that is not given keeps what stands, so it has no default here."""

    container_id: Annotated[str, Meta(description="64 digits, as in the key")]
    pane_composite_key: PaneCompositeKey
    role: RoleName | UnsetType = UNSET
    capability: Capability | UnsetType = UNSET
    label: Label | UnsetType = UNSET
    project_path: Annotated[str | UnsetType, Meta(description="absolute, without `..`")] = UNSET
    parent_agent_id: Annotated[
        str | UnsetType | None, Meta(description="a slave; for swarm agents alone")
    ] = UNSET
    attach_log: Annotated[
        AttachLogToo | None, Meta(description="attach its log in the same step")
    ] = None
    schema_version: SchemaVersion | UnsetType = UNSET


class ListAgents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Filters of ``list_agents``; all that are given must fit."""

    role: Annotated[Role | list[Role] | UnsetType, Meta(description="one or several")] = UNSET
    container_id: Annotated[
        str | UnsetType,
        Meta(
            description="12 or 64 lower-case hexadecimal digits",
            extra_json_schema={"pattern": "^([0-9a-f]{12}|[0-9a-f]{64})$"},
        ),
    ] = UNSET
    active_only: bool = False
    parent_agent_id: Annotated[
        str | UnsetType,
        Meta(
            description="only agents of this parent",
            extra_json_schema={"pattern": "^agt_[0-9a-f]{12}$"},
        ),
    ] = UNSET
    schema_version: SchemaVersion | UnsetType = UNSET


class SetRole(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``set_role``."""

    agent_id: str
    role: RoleName
    confirm: Annotated[bool, Meta(description="needed to make a master")] = False
    schema_version: SchemaVersion | UnsetType = UNSET


class SetLabel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``set_label``."""

    agent_id: str
    label: Label
    schema_version: SchemaVersion | UnsetType = UNSET


class SetCapability(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``set_capability``."""

    agent_id: str
    capability: Capability
    schema_version: SchemaVersion | UnsetType = UNSET


# --- results -------------------------------------------------------------------------------------


class Permissions(msgspec.Struct, frozen=True):
    """What the role permits (section 8.1)."""

    can_send: bool
    can_receive: bool
    can_send_to_roles: list[Role]


class Agent(msgspec.Struct, frozen=True):
    """The agent record (section 8.2)."""

    agent_id: AgentId
    container_id: ContainerId
    container_name: str | None
    container_user: str | None
    tmux_socket_path: str
    tmux_session_name: str
    tmux_window_index: int
    tmux_pane_index: int
    tmux_pane_id: TmuxPaneId
    pane_pid: int | None
    cwd: str | None
    role: Role
    capability: str
    label: str
    project_path: str
    parent_agent_id: AgentId | None
    effective_permissions: Permissions
    created_at: Time
    last_registered_at: Time
    last_seen_at: Time | None
    active: bool
    origin: Annotated[Origin, Meta(description="who made its pane; additive")]


class ListedAgent(Agent, frozen=True):
    """An agent in a list."""

    attention: Annotated[Attention | None, Meta(description="what it waits for; additive")]


class AgentFilter(msgspec.Struct, frozen=True):
    """The filters that were given."""

    role: list[Role] | None
    container_id: str | None
    active_only: bool
    parent_agent_id: str | None


class Agents(msgspec.Struct, frozen=True):
    """Active ones first, then by container, parent, label and id."""

    filter: AgentFilter
    agents: list[ListedAgent]


class AttachedToo(msgspec.Struct, frozen=True):
    """The log that was attached by a registration."""

    attachment_id: AttachmentId
    log_path: str
    source: Literal["register_self"]
    status: Literal["active"]
    byte_offset: Count
    line_offset: Count
    is_new: bool


class Registered(Agent, frozen=True):
    """The agent, and the log where one was asked for."""

    created_or_reactivated: Literal["created", "reactivated", "updated"]
    agent: Annotated[
        Agent | UnsetType, Meta(description="the record again; only with `attach_log`")
    ] = UNSET
    attach_log: AttachedToo | UnsetType = UNSET


class LabelSet(msgspec.Struct, frozen=True):
    """A label was set."""

    agent_id: AgentId
    field: Literal["label"]
    prior_value: str
    new_value: str
    audit_appended: Literal[False]


class CapabilitySet(msgspec.Struct, frozen=True):
    """A capability was set."""

    agent_id: AgentId
    field: Literal["capability"]
    prior_value: str
    new_value: str
    audit_appended: Literal[False]


class RoleSet(msgspec.Struct, frozen=True):
    """A role was set."""

    agent_id: AgentId
    field: Literal["role"]
    prior_value: Role
    new_value: Role
    audit_appended: bool
    effective_permissions: Permissions


# --- declarations --------------------------------------------------------------------------------

_SET = ("schema_version_newer", "value_out_of_set", "agent_not_found", "agent_inactive")

REGISTER = Declaration(
    name="register_agent",
    summary="Say who lives in a pane, and attach its log where that is asked for.",
    gate=Gate.CONTAINER,
    params=RegisterAgent,
    result=Registered,
    errors=(
        "schema_version_newer",
        "value_out_of_set",
        "field_too_long",
        "project_path_invalid",
        "master_via_register_self_rejected",
        "swarm_parent_required",
        "parent_role_mismatch",
        "pane_unknown_to_daemon",
        "parent_immutable",
        "parent_not_found",
        "parent_inactive",
        "parent_role_invalid",
        "agent_inactive",
        "log_path_invalid",
        "log_path_not_host_visible",
        "log_path_in_use",
        "pipe_pane_failed",
        "tmux_unavailable",
        "docker_unavailable",
        "worker_unavailable",
    ),
)
LIST = Declaration(
    name="list_agents",
    summary="Registered agents.",
    gate=Gate.KNOWN,
    params=ListAgents,
    result=Agents,
    errors=("schema_version_newer", "unknown_filter", "value_out_of_set"),
)
SET_ROLE = Declaration(
    name="set_role",
    summary="Say what an agent may do.",
    gate=Gate.KNOWN,
    params=SetRole,
    result=RoleSet,
    errors=(*_SET, "swarm_role_via_set_role_rejected", "master_confirm_required"),
)
SET_LABEL = Declaration(
    name="set_label",
    summary="Say what people call an agent.",
    gate=Gate.KNOWN,
    params=SetLabel,
    result=LabelSet,
    errors=(*_SET, "field_too_long"),
)
SET_CAPABILITY = Declaration(
    name="set_capability",
    summary="Say what an agent is.",
    gate=Gate.KNOWN,
    params=SetCapability,
    result=CapabilitySet,
    errors=_SET,
)
