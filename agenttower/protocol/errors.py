"""Every code that may come over the socket: what it says to people, and what ``details`` hold.

Which namespace and which method has which code follows from the declarations.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from agenttower.protocol.app.errors import COMMON as APP_COMMON
from agenttower.protocol.app.errors import ERRORS as APP_ERRORS
from agenttower.protocol.app.errors import Empty, Invalid, OfContainer
from agenttower.protocol.declaration import Declaration, Gate
from agenttower.protocol.managed_errors import MANAGED_ERRORS, Nothing

LEGACY, MANAGED, APP = "legacy", "managed", "app"
NAMESPACES = (LEGACY, MANAGED, APP)

FRAMING = ("bad_json", "bad_request", "request_too_large", "unknown_method")
"""Before the method is known, hence in the legacy envelope; but of a name that begins with
``managed.`` or ``app.`` it is known which envelope answers that there is no such method."""

COMMON = {
    LEGACY: ("bad_request", "internal_error"),
    MANAGED: ("bad_request", "validation_failed", "host_only", "internal_error"),
    APP: (*APP_COMMON, "validation_failed"),
}
"""What every method of a namespace may answer with."""


class MaybeContainer(msgspec.Struct, frozen=True):
    """Which container, where it is known."""

    container_id: str | UnsetType = UNSET


_MANAGED_DETAILS: dict[str, type[msgspec.Struct]] = {
    **{code: Empty if shape is Nothing else shape for code, shape in MANAGED_ERRORS.items()},
    "bad_request": Empty,
    "container_inactive": OfContainer,
    "docker_unavailable": Empty,
    "host_only": Empty,
    "internal_error": Empty,
    "tmux_unavailable": MaybeContainer,
    "unknown_method": Empty,
    "validation_failed": Invalid,
}

SUMMARIES = {
    "agent_inactive": "the agent has lost its pane, or its container does not run",
    "agent_not_found": "no agent of that id or label is registered",
    "app_contract_major_unsupported": "client and daemon speak different versions of the contract",
    "app_session_expired": "the session is over: say `app.hello` again",
    "app_session_required": "the method needs the token of a session",
    "approval_not_applicable": "the prompt is not blocked, or for a reason nobody may overrule",
    "attachment_not_found": "the agent has no log, or none that is active",
    "bad_json": "the line is not UTF-8, or not one JSON value",
    "bad_request": "the envelope is wrong, or a parameter",
    "body_empty": "the prompt has no text",
    "body_invalid_chars": "the prompt has a control character",
    "body_invalid_encoding": "the prompt is not UTF-8",
    "body_too_large": "the prompt is too long, its headers included",
    "config_invalid": "`config.toml` cannot be used",
    "container_inactive": "the container does not run, or its name no longer fits the rule",
    "container_not_found": "no scan has seen the container",
    "daemon_shutting_down": "the daemon stops; nothing was done",
    "daemon_unavailable": "nobody answers",
    "delay_not_applicable": "the prompt is blocked already",
    "delivery_in_progress": "the prompt is being delivered",
    "docker_failed": "the engine answered with an error",
    "docker_malformed": "the engine's answer cannot be read",
    "docker_permission_denied": "the engine's socket refused the daemon's user",
    "docker_timeout": "the engine did not answer in time",
    "docker_unavailable": "the engine cannot be reached",
    "event_id_not_found": "no such event was read from an agent's output",
    "events_filter_invalid": "a parameter of `events.*` was refused",
    "events_invalid_cursor": "no page gave this cursor for this direction",
    "events_session_expired": "nobody asked for too long, so that the session was closed",
    "events_session_unknown": "there is no such session, or it is another container's",
    "field_too_long": "a text is longer than is kept; it is refused, never cut",
    "host_only": "not from inside this container",
    "internal_error": "something unexpected happened, or took too long; see the daemon's log",
    "log_attach_blocked": "the log could not be attached",
    "log_file_missing": "the log's file is not there, or is no plain file",
    "log_path_in_use": "it is another agent's log",
    "log_path_invalid": "no log may have this path",
    "log_path_not_host_visible": "the host does not see the file, or the bench cannot write it",
    "malformed_request": "the line is not one request",
    "managed_launch_command_not_found": "there is no such profile",
    "managed_layout_capacity_exceeded": "so many layouts exist already",
    "managed_layout_not_found": "there is no such layout",
    "managed_pane_concurrent_recreate": "the pane has a living successor",
    "managed_pane_illegal_recreate_source": "only removed and failed panes can be recreated",
    "managed_pane_illegal_transition": "the pane's state does not allow it",
    "managed_pane_label_conflict": "a living pane of the container has the label",
    "managed_pane_not_found": "there is no such managed pane",
    "managed_pane_protected_adopted": "AgentTower did not make it, and never ends it",
    "managed_pane_recreate_chain_too_deep": "the pane was recreated too often",
    "managed_session_name_conflict": "the tmux session exists, whoever made it",
    "managed_template_not_found": "there is no such template",
    "master_confirm_required": "making a master must be confirmed",
    "master_via_register_self_rejected": "nobody becomes a master by registering",
    "message_id_not_found": "there is no such prompt",
    "not_found": "there is no such row",
    "not_implemented": "the method is reserved",
    "operator_pane_inactive": "the deciding pane is no active agent's",
    "pane_already_registered": "an agent lives in the pane already",
    "pane_not_found": "no scan has seen the pane",
    "pane_unknown_to_daemon": "no scan has seen the pane alive, or nobody may be registered in it",
    "parent_immutable": "the parent is fixed with the first registration",
    "parent_inactive": "the parent has lost its pane",
    "parent_not_found": "there is no such parent",
    "parent_role_invalid": "a parent must be a slave",
    "parent_role_mismatch": "only swarm agents have a parent",
    "payload_too_large": "the request line is too long",
    "permission_denied": "another user's process, or a prompt that may not be sent",
    "pipe_pane_failed": "tmux would not change the pane's pipe",
    "project_path_invalid": "not absolute, or with `..` or a control character",
    "queue_message_not_found": "there is no such prompt",
    "queue_origin_invalid": "neither `direct` nor `route`",
    "request_too_large": "the request line is too long",
    "route_creation_failed": "the route could not be stored, or there are too many",
    "route_event_type_invalid": "no route can wait for this type of event",
    "route_id_not_found": "there is no such route",
    "route_master_rule_invalid": "how the route finds its master is not well said",
    "route_not_found": "there is no such route",
    "route_source_scope_invalid": "whose events the route heeds is not well said",
    "route_target_rule_invalid": "how the route finds its target is not well said",
    "route_template_invalid": "empty, too long, or with what is no field",
    "routing_disabled": "the kill switch is off",
    "routing_toggle_host_only": "only a proven host turns the switch",
    "scan_not_found": "there is no such scan, or it is forgotten",
    "scan_timeout": "the scan took longer than a request waits; it goes on",
    "schema_version_newer": "the daemon's schema is newer than the client's",
    "sender_not_in_pane": "prompts of agents need the pane that they are sent from",
    "sender_role_not_permitted": "the sending pane is no active agent's",
    "since_invalid_format": "`since` is no time of the form that is asked for",
    "socket_missing": "there is no socket",
    "socket_permission_denied": "the socket may not be opened",
    "stale_object": "the prompt is past the point where this applies",
    "swarm_parent_required": "a swarm agent needs a parent",
    "swarm_role_via_set_role_rejected": "a swarm agent is one from its first registration",
    "target_label_ambiguous": "several active agents have the label",
    "terminal_state_cannot_change": "the prompt has reached its end",
    "tmux_unavailable": "tmux is missing, too old, or does not answer",
    "unknown_filter": "a key that is no filter",
    "unknown_method": "there is no such method",
    "validation_failed": "a parameter was refused before any effect",
    "value_out_of_set": "a role, capability or id that there cannot be",
    "worker_unavailable": "no worker has been heard of for 15 s",
}
"""What a code says, for people."""


def namespace_of(method: str) -> str:
    """Which of :data:`NAMESPACES` answers to a name: each has an envelope of its own."""
    head, dot, _ = method.partition(".")
    return head if dot and head in (MANAGED, APP) else LEGACY


def codes_of(declared: Declaration) -> tuple[str, ...]:
    """What a method may answer with, once its name and ``params`` are read; sorted."""
    own = set(COMMON[namespace_of(declared.name)]) | set(declared.errors)
    if declared.gate not in (Gate.OPEN, Gate.ANYONE):
        own.add("host_only")
    if not declared.session:
        own -= {"app_session_required", "app_session_expired"}
    return tuple(sorted(own))


def details_of(code: str, namespace: str) -> type[msgspec.Struct] | None:
    """What ``error.details`` holds; ``None`` in the legacy envelope, which has none.

    :raises KeyError: the code is none of the namespace's.
    """
    if namespace == LEGACY:
        return None
    if namespace == MANAGED:
        return _MANAGED_DETAILS[code]
    return APP_ERRORS[code] if code in APP_ERRORS else _MANAGED_DETAILS[code]
