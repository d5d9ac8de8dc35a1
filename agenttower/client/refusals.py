"""One class for every error code that the daemon may answer with.

A class is called as its code is, in capitals: ``managed_layout_not_found`` is
:class:`ManagedLayoutNotFound` (``not_implemented`` alone is :class:`NotImplementedMethod`, since
Python has the other name). Each belongs to one of five families, which tell what can be done:
:class:`InvalidRequest`, :class:`MissingObject`, :class:`NotPermitted`, :class:`WrongState` and
:class:`Unavailable`. A code that this client does not know is a plain
:class:`~agenttower.client.errors.RpcError`.

Annotations name the details that are attributes; those with ``None`` may be left out by the daemon.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agenttower.client.errors import (
    DaemonUnreachable,
    RpcError,
    SocketMissing,
    SocketPermissionDenied,
)
from agenttower.errors import AgentTowerError

# --- wrong requests ------------------------------------------------------------------------------


class InvalidRequest(RpcError):
    """The request itself is wrong: the same request is always refused."""


class BadJson(InvalidRequest):
    """The line was no JSON text."""

    code = "bad_json"


class MalformedRequest(InvalidRequest):
    """The line breaks the rules of the wire."""

    code = "malformed_request"
    reason: str


class BadRequest(InvalidRequest):
    """A parameter of a legacy method has the wrong shape."""

    code = "bad_request"


class ValidationFailed(InvalidRequest):
    """A parameter was refused before any effect."""

    code = "validation_failed"
    field: str
    reason: str


class ValueOutOfSet(InvalidRequest):
    """A token is not in its closed set, or an id is malformed."""

    code = "value_out_of_set"


class UnknownFilter(InvalidRequest):
    """``list_agents`` does not know the filter."""

    code = "unknown_filter"


class UnknownMethod(InvalidRequest):
    """The daemon has no such method; it may be older than this client."""

    code = "unknown_method"


class NotImplementedMethod(InvalidRequest):
    """A reserved method."""

    code = "not_implemented"
    reserved_since: str


class RequestTooLarge(InvalidRequest):
    """The request line is too long."""

    code = "request_too_large"


class PayloadTooLarge(InvalidRequest):
    """The request line is too long (``app.*``)."""

    code = "payload_too_large"
    size_limit_bytes: int
    actual_size_bytes: int


class FieldTooLong(InvalidRequest):
    """A text is longer than is kept; it is refused, never cut."""

    code = "field_too_long"


class ProjectPathInvalid(InvalidRequest):
    """No project can have that path."""

    code = "project_path_invalid"


class LogPathInvalid(InvalidRequest):
    """No log may have that path."""

    code = "log_path_invalid"


class SinceInvalidFormat(InvalidRequest):
    """``since`` has another form."""

    code = "since_invalid_format"


class QueueOriginInvalid(InvalidRequest):
    """``origin`` is neither ``direct`` nor ``route``."""

    code = "queue_origin_invalid"


class EventsFilterInvalid(InvalidRequest):
    """A parameter of ``events.*`` was refused; the message names it."""

    code = "events_filter_invalid"


class EventsInvalidCursor(InvalidRequest):
    """No page has given this cursor."""

    code = "events_invalid_cursor"


class BodyEmpty(InvalidRequest):
    """A prompt without text."""

    code = "body_empty"


class BodyInvalidEncoding(InvalidRequest):
    """A prompt that is not UTF-8."""

    code = "body_invalid_encoding"


class BodyInvalidChars(InvalidRequest):
    """A prompt with a control character that a terminal would obey."""

    code = "body_invalid_chars"


class BodyTooLarge(InvalidRequest):
    """A prompt that is too long, its headers included."""

    code = "body_too_large"


class RouteEventTypeInvalid(InvalidRequest):
    """A route for an event type that there is not."""

    code = "route_event_type_invalid"


class RouteMasterRuleInvalid(InvalidRequest):
    """How a route finds its master is not well said."""

    code = "route_master_rule_invalid"


class RouteTargetRuleInvalid(InvalidRequest):
    """How a route finds its target is not well said."""

    code = "route_target_rule_invalid"


class RouteSourceScopeInvalid(InvalidRequest):
    """Whose events a route heeds is not well said."""

    code = "route_source_scope_invalid"


class RouteTemplateInvalid(InvalidRequest):
    """A route's template could not always be rendered."""

    code = "route_template_invalid"


class SwarmParentRequired(InvalidRequest):
    """A swarm agent needs a parent."""

    code = "swarm_parent_required"


class ParentRoleMismatch(InvalidRequest):
    """Only swarm agents have a parent."""

    code = "parent_role_mismatch"


class MasterConfirmRequired(InvalidRequest):
    """Making a master must be confirmed."""

    code = "master_confirm_required"


class SenderNotInPane(InvalidRequest):
    """``queue.send_input`` without the pane that sends."""

    code = "sender_not_in_pane"


# --- what is not there ---------------------------------------------------------------------------


class MissingObject(RpcError):
    """What was named is not there, as far as this caller may know."""


class NotFound(MissingObject):
    """No such container, log attachment or event."""

    code = "not_found"


class ContainerNotFound(MissingObject):
    """No scan has seen the container."""

    code = "container_not_found"
    container_id: str


class PaneNotFound(MissingObject):
    """No pane has that identity (``app.*``)."""

    code = "pane_not_found"
    pane_id: str
    mismatch_field: str | None


class PaneUnknownToDaemon(MissingObject):
    """No scan has seen the pane alive."""

    code = "pane_unknown_to_daemon"


class AgentNotFound(MissingObject):
    """No such agent."""

    code = "agent_not_found"
    agent_id: str | None


class ParentNotFound(MissingObject):
    """The parent does not exist."""

    code = "parent_not_found"


class RouteNotFound(MissingObject):
    """No such route (``app.*``)."""

    code = "route_not_found"
    route_id: str


class RouteIdNotFound(MissingObject):
    """No such route."""

    code = "route_id_not_found"
    route_id: str | None


class EventIdNotFound(MissingObject):
    """No such event was read from output."""

    code = "event_id_not_found"
    event_id: int | None


class QueueMessageNotFound(MissingObject):
    """No such prompt (``app.*``)."""

    code = "queue_message_not_found"
    message_id: str


class MessageIdNotFound(MissingObject):
    """No such prompt."""

    code = "message_id_not_found"


class ScanNotFound(MissingObject):
    """No such scan, or it is long over."""

    code = "scan_not_found"
    scan_id: str


class AttachmentNotFound(MissingObject):
    """The agent has no log of the kind that was asked for."""

    code = "attachment_not_found"


class LogFileMissing(MissingObject):
    """The file of a log is not there."""

    code = "log_file_missing"


class EventsSessionUnknown(MissingObject):
    """No such follow session."""

    code = "events_session_unknown"


class EventsSessionExpired(MissingObject):
    """Nobody asked in the follow session for too long."""

    code = "events_session_expired"


class ManagedTemplateNotFound(MissingObject):
    """No such template."""

    code = "managed_template_not_found"
    template_name: str
    known_templates: list[str]


class ManagedLaunchCommandNotFound(MissingObject):
    """No such launch profile."""

    code = "managed_launch_command_not_found"
    profile_name: str
    known_profiles: list[str]


class ManagedLayoutNotFound(MissingObject):
    """No such layout."""

    code = "managed_layout_not_found"
    layout_id: str


class ManagedPaneNotFound(MissingObject):
    """No such managed pane."""

    code = "managed_pane_not_found"
    pane_id: str


# --- what is not allowed -------------------------------------------------------------------------


class NotPermitted(RpcError):
    """This caller may not do that, or nobody may."""


class HostOnly(NotPermitted):
    """Only from the host, or from inside the container that it concerns (R12)."""

    code = "host_only"


class PermissionDenied(NotPermitted):
    """Another user's process, or the permission gate refused the prompt."""

    code = "permission_denied"
    reason: str | None


class RoutingToggleHostOnly(NotPermitted):
    """The kill switch is the host's."""

    code = "routing_toggle_host_only"


class MasterViaRegisterSelfRejected(NotPermitted):
    """Nobody becomes a master by registering."""

    code = "master_via_register_self_rejected"


class SwarmRoleViaSetRoleRejected(NotPermitted):
    """An agent is swarm from its first registration on."""

    code = "swarm_role_via_set_role_rejected"


class ParentRoleInvalid(NotPermitted):
    """A parent must be a slave."""

    code = "parent_role_invalid"


class SenderRoleNotPermitted(NotPermitted):
    """No active agent is registered on the sending pane."""

    code = "sender_role_not_permitted"


class ManagedPaneProtectedAdopted(NotPermitted):
    """AgentTower did not make that pane and never ends it."""

    code = "managed_pane_protected_adopted"
    agent_id: str
    is_adopted: bool


# --- what its state does not allow ---------------------------------------------------------------


class WrongState(RpcError):
    """What was named is there, and its state does not allow that now."""


class StaleObject(WrongState):
    """The queue row is past the point where that applies."""

    code = "stale_object"


class AgentInactive(WrongState):
    """The agent has lost its pane."""

    code = "agent_inactive"


class ParentInactive(WrongState):
    """The parent has lost its pane."""

    code = "parent_inactive"


class ParentImmutable(WrongState):
    """The parent is fixed with the first registration."""

    code = "parent_immutable"


class PaneAlreadyRegistered(WrongState):
    """The pane has an agent."""

    code = "pane_already_registered"
    agent_id: str


class OperatorPaneInactive(WrongState):
    """No active agent is registered on the deciding pane."""

    code = "operator_pane_inactive"


class ContainerInactive(WrongState):
    """The container does not run."""

    code = "container_inactive"
    container_id: str


class TargetLabelAmbiguous(WrongState):
    """Several active agents have the label."""

    code = "target_label_ambiguous"
    agent_ids: list[str] | None


class TerminalStateCannotChange(WrongState):
    """The prompt has reached its end."""

    code = "terminal_state_cannot_change"


class DeliveryInProgress(WrongState):
    """The prompt is being delivered."""

    code = "delivery_in_progress"


class ApprovalNotApplicable(WrongState):
    """The prompt is not blocked, or not for a reason to overrule."""

    code = "approval_not_applicable"


class DelayNotApplicable(WrongState):
    """The prompt is blocked already."""

    code = "delay_not_applicable"


class RoutingDisabled(WrongState):
    """The kill switch is off."""

    code = "routing_disabled"


class LogPathInUse(WrongState):
    """Another agent's output goes into that file."""

    code = "log_path_in_use"


class LogPathNotHostVisible(WrongState):
    """The host does not see the log's file."""

    code = "log_path_not_host_visible"


class LogAttachBlocked(WrongState):
    """The log could not be attached."""

    code = "log_attach_blocked"
    agent_id: str
    reason: str


class LogUnreadable(WrongState):
    """A log that events are read from cannot be read."""

    code = "log_unreadable"


class ManagedSessionNameConflict(WrongState):
    """A tmux session of that name exists."""

    code = "managed_session_name_conflict"
    container_id: str
    tmux_session_name: str


class ManagedPaneLabelConflict(WrongState):
    """A living pane holds the label."""

    code = "managed_pane_label_conflict"
    container_id: str
    label: str


class ManagedLayoutCapacityExceeded(WrongState):
    """There are as many layouts as there may be."""

    code = "managed_layout_capacity_exceeded"
    current_count: int
    limit: int


class ManagedPaneIllegalTransition(WrongState):
    """The pane's state does not allow that."""

    code = "managed_pane_illegal_transition"
    pane_id: str
    current_state: str
    requested_action: str


class ManagedPaneIllegalRecreateSource(WrongState):
    """Only removed and failed panes can be recreated."""

    code = "managed_pane_illegal_recreate_source"
    predecessor_pane_id: str
    current_state: str


class ManagedPaneRecreateChainTooDeep(WrongState):
    """The chain of successors is as long as it may be."""

    code = "managed_pane_recreate_chain_too_deep"
    predecessor_pane_id: str
    predecessor_chain_depth: int
    limit: int


class ManagedPaneConcurrentRecreate(WrongState):
    """The pane has a successor."""

    code = "managed_pane_concurrent_recreate"
    predecessor_pane_id: str
    in_flight_successor_pane_id: str


class RouteCreationFailed(WrongState):
    """The route could not be stored, or there are too many."""

    code = "route_creation_failed"


class AppSessionRequired(WrongState):
    """An ``app.*`` method without a session."""

    code = "app_session_required"


class AppSessionExpired(WrongState):
    """The session is not known any more: the daemon was restarted."""

    code = "app_session_expired"


class AppContractMajorUnsupported(WrongState):
    """The daemon speaks another major version of ``app.*``."""

    code = "app_contract_major_unsupported"
    daemon_app_contract_version: str
    client_app_contract_major: int


class SchemaVersionNewer(WrongState):
    """The daemon's schema is newer than this client's."""

    code = "schema_version_newer"


# --- what does not work now ----------------------------------------------------------------------


class Unavailable(RpcError):
    """Something that is needed does not work now; the same request may succeed later."""


class InternalError(Unavailable):
    """A fault of the daemon, or a wait that ended; the message says which."""

    code = "internal_error"
    reason: str | None


class DaemonShuttingDown(Unavailable):
    """The daemon is stopping; nothing was done."""

    code = "daemon_shutting_down"


class WorkerUnavailable(Unavailable):
    """No worker is alive, so nothing would be done."""

    code = "worker_unavailable"


class ConfigInvalid(Unavailable):
    """``config.toml`` does not fit its schema."""

    code = "config_invalid"


class StateRefused(Unavailable):
    """The state directory or the database cannot be used as it is."""

    code = "state_refused"


class AlreadyRunning(Unavailable):
    """Another process uses the state directory."""

    code = "already_running"


class ServiceRefused(Unavailable):
    """systemd does not allow that."""

    code = "service_refused"


class DockerUnavailable(Unavailable):
    """The engine cannot be reached."""

    code = "docker_unavailable"


class DockerPermissionDenied(Unavailable):
    """The engine's socket refused the daemon's user."""

    code = "docker_permission_denied"


class DockerTimeout(Unavailable):
    """The engine did not answer in time."""

    code = "docker_timeout"


class DockerFailed(Unavailable):
    """The engine answered with an error."""

    code = "docker_failed"


class DockerMalformed(Unavailable):
    """The engine's answer cannot be read."""

    code = "docker_malformed"


class TmuxUnavailable(Unavailable):
    """tmux is missing, too old, or does not answer."""

    code = "tmux_unavailable"
    container_id: str | None


class PipePaneFailed(Unavailable):
    """tmux would not change the pane's pipe."""

    code = "pipe_pane_failed"


class ScanTimeout(Unavailable):
    """The scan takes longer than a request may wait; it goes on."""

    code = "scan_timeout"
    scan_id: str


def _by_code(kinds: list[type[RpcError]]) -> dict[str, type[RpcError]]:
    return {kind.code: kind for family in kinds for kind in family.__subclasses__()}


CLASSES: Mapping[str, type[RpcError]] = _by_code(
    [InvalidRequest, MissingObject, NotPermitted, WrongState, Unavailable]
)
"""Every code of a refusal and its class."""

_UNREACHABLE = {
    kind.code: kind for kind in (DaemonUnreachable, SocketMissing, SocketPermissionDenied)
}


def refusal(code: str, message: str, details: Mapping[str, Any] | None = None) -> AgentTowerError:
    """The exception for an error of the wire.

    The three codes of :class:`DaemonUnreachable` are no refusals, whoever says them.
    """
    if code in _UNREACHABLE:
        return _UNREACHABLE[code](message)
    return CLASSES.get(code, RpcError)(code, message, details)
