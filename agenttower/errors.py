"""One tree of errors with stable codes.

``code`` is what clients branch on (managed.md section 4 and the legacy catalogues); ``details`` is
what goes beside it on the wire; the message is for people and ends with what to do next. Errors
that a step may meet also carry ``error_class``, the token the retry policy decides by (FR-013).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class AgentTowerError(Exception):
    """Base of everything AgentTower raises on purpose.

    :param message: what happened, to which object, and what to do next.
    :param details: the ``details`` object of the wire envelope.
    """

    code: str = "internal_error"
    error_class: str = "internal"

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, object] = details


# --- asking ------------------------------------------------------------------------------------


class BadRequest(AgentTowerError):
    """The envelope or a legacy parameter has the wrong shape."""

    code = "bad_request"


class RecordedError(AgentTowerError):
    """An error that was met earlier and elsewhere, raised here and now."""

    def __init__(self, code: str, message: str, details: Mapping[str, object]) -> None:
        super().__init__(message, **details)
        self.code = code


class ValidationFailed(AgentTowerError):
    """A parameter was refused before any effect; names the field and the reason.

    ``rule`` is the reason without anything of the value, where the reason shows some: ``app.*``
    may show none.
    """

    code = "validation_failed"

    def __init__(self, field: str, reason: str, rule: str | None = None) -> None:
        super().__init__(f"{field}: {reason}", field=field, reason=reason)
        self.field = field
        self.rule = rule


class ValueOutOfSet(AgentTowerError):
    """A token is not in its closed set, or an id is malformed (legacy surfaces)."""

    code = "value_out_of_set"


class UnknownFilter(AgentTowerError):
    """``list_agents`` was given a filter it does not know."""

    code = "unknown_filter"


class SchemaVersionNewer(AgentTowerError):
    """The daemon's schema is newer than the one the client was built for."""

    code = "schema_version_newer"


class HostOnly(AgentTowerError):
    """A bench client reached outside its own container, or could not be identified (R12)."""

    code = "host_only"

    def __init__(self) -> None:
        super().__init__(
            "this is only allowed from the host, or from inside the container it concerns; "
            "run the command on the host"
        )


class NotImplementedYet(AgentTowerError):
    """A reserved method (M8)."""

    code = "not_implemented"


# --- events of agents --------------------------------------------------------------------------


class AgentNotFound(AgentTowerError):
    """No agent of that id or label is registered, as far as the caller may know."""

    code = "agent_not_found"

    def __init__(self, name: str = "") -> None:
        which = f"agent {name[:80]!r}" if name else "such agent"
        super().__init__(f"no {which} is registered; see 'agenttower agent list'")


class EventsFilterInvalid(AgentTowerError):
    """A filter of ``events.*`` was refused; names the parameter and the reason."""

    code = "events_filter_invalid"

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}", field=field, reason=reason)


class EventsInvalidCursor(AgentTowerError):
    """A cursor that no page has given, or one of the other direction."""

    code = "events_invalid_cursor"

    def __init__(self) -> None:
        super().__init__(
            "cursor: is none that events.list gave for this direction; start again without it"
        )


class EventsSessionUnknown(AgentTowerError):
    """A follow session that there is not, or that is another container's."""

    code = "events_session_unknown"

    def __init__(self) -> None:
        super().__init__("session_id: there is no such session; open one with events.follow_open")


class EventsSessionExpired(AgentTowerError):
    """A follow session that nobody has asked for too long."""

    code = "events_session_expired"

    def __init__(self) -> None:
        super().__init__(
            "session_id: nobody asked for too long, so the session was closed; open another, and"
            " give events.follow_open the time of the last event as 'since'"
        )


# --- health ------------------------------------------------------------------------------------


class WorkerUnavailable(AgentTowerError):
    """No worker has been alive for 15 s, so nothing would run."""

    code = "worker_unavailable"

    def __init__(self) -> None:
        super().__init__(
            "no worker process has been alive for 15 s, so nothing would be done; start one with "
            "'agenttower worker' (or both with 'agenttower up'), or restart one that hangs"
        )


class ConfigInvalid(AgentTowerError):
    """``config.toml`` does not fit its schema."""

    code = "config_invalid"


class StateRefused(AgentTowerError):
    """The state directory, a file in it, or the database cannot be used as it is."""

    code = "state_refused"


class AlreadyRunning(AgentTowerError):
    """Another process holds the single-instance lock."""

    code = "already_running"


class ServiceRefused(AgentTowerError):
    """systemd, or a file of it, does not allow what was asked of ``agenttower service``."""

    code = "service_refused"


# --- routes --------------------------------------------------------------------------------------


class RouteEventTypeInvalid(AgentTowerError):
    """A route must name one of the ten event types that are read from output."""

    code = "route_event_type_invalid"


class RouteMasterRuleInvalid(AgentTowerError):
    """How a route finds the master in whose name it speaks is not well said."""

    code = "route_master_rule_invalid"


class RouteTargetRuleInvalid(AgentTowerError):
    """How a route finds whom it prompts is not well said."""

    code = "route_target_rule_invalid"


class RouteSourceScopeInvalid(AgentTowerError):
    """Whose events a route heeds is not well said."""

    code = "route_source_scope_invalid"


class RouteTemplateInvalid(AgentTowerError):
    """A template that could not always be rendered, or not be sent."""

    code = "route_template_invalid"


class RouteCreationFailed(AgentTowerError):
    """A route was well said and could not be stored."""

    code = "route_creation_failed"


class TooManyRoutes(RouteCreationFailed):
    """As many routes as there may be exist."""


class RouteNotFound(AgentTowerError):
    code = "route_id_not_found"

    def __init__(self, route_id: str) -> None:
        super().__init__(
            f"no route {ascii(route_id)[:80]}; see 'agenttower route list'", route_id=route_id[:80]
        )


class EventNotFound(AgentTowerError):
    """A preview named an event that is not there, or was not read from an agent's output."""

    code = "event_id_not_found"

    def __init__(self, event_id: int) -> None:
        super().__init__(
            f"no event {event_id} was read from an agent's output; see 'agenttower events'",
            event_id=event_id,
        )


# --- containers and tmux -----------------------------------------------------------------------


class BenchError(AgentTowerError):
    """Something about a bench went wrong. The outcome of the call is known: nothing was done."""

    code = "tmux_unavailable"
    error_class = "tmux_error"


class ContainerNotFound(BenchError):
    """No container of that id or name is known."""

    code = "container_not_found"
    error_class = "container_not_found"

    def __init__(self, container_id: str) -> None:
        super().__init__(
            f"no bench container {container_id!r} is known; "
            "see 'agenttower container list', or run 'agenttower scan'",
            container_id=container_id,
        )


class ContainerInactive(BenchError):
    """The container is known but not running (stopped, paused or removed)."""

    code = "container_inactive"
    error_class = "container_inactive"


class ContainerPaused(ContainerInactive):
    """It is paused: what runs in it waits, and so does every exec. Transient, as a time-out is."""

    error_class = "exec_timeout"


class DockerUnavailable(BenchError):
    """The engine cannot be reached. Transient: an exec connection failure (FR-013)."""

    code = "docker_unavailable"
    error_class = "exec_connection"


class DockerPermissionDenied(DockerUnavailable):
    """The engine's socket refused us."""

    code = "docker_permission_denied"


class DockerTimeout(DockerUnavailable):
    """The engine did not answer in time."""

    code = "docker_timeout"
    error_class = "exec_timeout"


class DockerFailed(DockerUnavailable):
    """The engine answered with an error that has no better class."""

    code = "docker_failed"
    error_class = "docker_error"


class DockerMalformed(DockerFailed):
    """The engine's answer cannot be read."""

    code = "docker_malformed"


class TmuxUnavailable(BenchError):
    """tmux is missing in the bench, too old, or refuses to start."""

    code = "tmux_unavailable"
    error_class = "tmux_unavailable"


class TmuxCommandFailed(BenchError):
    """tmux answered ``%error``; its words are in the message."""

    error_class = "tmux_error"


class BenchTimeout(BenchError):
    """A call passed its deadline. The outcome is UNKNOWN: it may still take effect later."""

    error_class = "tmux_timeout"


class BenchConnectionLost(BenchError):
    """The channel broke while a call was under way. The outcome is UNKNOWN."""

    error_class = "exec_connection"


class SessionNameConflict(BenchError):
    """A tmux session of that name exists already and is not this layout's (FR-016)."""

    code = "managed_session_name_conflict"
    error_class = "session_name_conflict"

    def __init__(self, container_id: str, tmux_session_name: str) -> None:
        super().__init__(
            f"a tmux session named {tmux_session_name!r} already exists in container "
            f"{container_id[:12]}; choose another name with --session",
            container_id=container_id,
            tmux_session_name=tmux_session_name,
        )


class LogNotVisible(BenchError):
    """A pane's log cannot be reached from both sides, or no longer belongs to the pane."""

    code = "log_path_not_host_visible"
    error_class = "log_not_visible"


class LogTimeout(BenchError):
    """The log file did not appear in time (FR-013: time-out of the log subsystem)."""

    code = "log_path_not_host_visible"
    error_class = "log_timeout"


# --- agents ------------------------------------------------------------------------------------


class AgentInactive(AgentTowerError):
    """The agent's pane, or its container, is gone."""

    code = "agent_inactive"
    error_class = "agent_inactive"


class ContainerOfAgentInactive(AgentInactive):
    """The agent may well live again: its container does not run."""

    def __init__(self, agent_id: str, container_id: str) -> None:
        super().__init__(
            f"the container of agent {agent_id} does not run; start it, then 'agenttower scan'",
            container_id=container_id,
        )


class PaneUnknownToDaemon(AgentTowerError):
    """No scan has seen this pane alive, or it cannot be registered."""

    code = "pane_unknown_to_daemon"
    error_class = "pane_unknown"


class PaneMadeHere(PaneUnknownToDaemon):
    """A pane that AgentTower made, and that has no living agent: nobody is adopted in it."""


class PaneMismatch(PaneUnknownToDaemon):
    """No discovered pane has all six parts of an identity; names the first part that differs."""

    def __init__(self, pane_id: str, mismatch_field: str) -> None:
        super().__init__(
            f"no pane that was discovered and is alive is the one described: {mismatch_field} is "
            "of another; scan the panes first, and name the pane as the list shows it",
            pane_id=pane_id,
            mismatch_field=mismatch_field,
        )


class PaneAlreadyRegistered(AgentTowerError):
    """The pane has an agent, which is not overwritten."""

    code = "pane_already_registered"

    def __init__(self, agent_id: str) -> None:
        super().__init__(
            f"agent {agent_id} is registered on this pane already; nothing was changed: "
            "update that one instead",
            agent_id=agent_id,
        )


class FieldTooLong(AgentTowerError):
    """A text of an agent is longer than is kept; it is refused, never cut."""

    code = "field_too_long"

    def __init__(self, field: str, length: int, limit: int) -> None:
        super().__init__(f"{field} has {length} characters; at most {limit} are allowed")


class ProjectPathInvalid(AgentTowerError):
    """A ``project_path`` that can be none."""

    code = "project_path_invalid"


class MasterViaRegister(AgentTowerError):
    """Nobody becomes a master by registering."""

    code = "master_via_register_self_rejected"

    def __init__(self) -> None:
        super().__init__(
            "an agent cannot be registered as master; register it, then run "
            "'agenttower agent set AGENT --role master --confirm' on the host"
        )


class MasterConfirmRequired(AgentTowerError):
    """A master may write into other agents, so the operator says it twice."""

    code = "master_confirm_required"

    def __init__(self) -> None:
        super().__init__(
            "a master may send to every slave and swarm agent; to really make this one a master, "
            "confirm it (--confirm)"
        )


class SwarmViaSetRole(AgentTowerError):
    """A swarm agent has a parent, which only a registration can give."""

    code = "swarm_role_via_set_role_rejected"

    def __init__(self) -> None:
        super().__init__(
            "an agent is made swarm when it is registered for the first time, with its parent "
            "(register --role swarm --parent AGENT); it cannot be set later"
        )


class SwarmParentRequired(AgentTowerError):
    """``swarm`` without a parent."""

    code = "swarm_parent_required"

    def __init__(self) -> None:
        super().__init__("a swarm agent needs a parent; name a slave with --parent AGENT")


class ParentRoleMismatch(AgentTowerError):
    """A parent was given to an agent that is no swarm agent."""

    code = "parent_role_mismatch"

    def __init__(self, role: str) -> None:
        super().__init__(
            f"only swarm agents have a parent, and this one is to be {role}; "
            "add --role swarm, or leave the parent out"
        )


class ParentImmutable(AgentTowerError):
    """An agent keeps the parent, or the lack of one, that it was first registered with."""

    code = "parent_immutable"

    def __init__(self, agent_id: str, parent: str | None) -> None:
        has = "no parent" if parent is None else f"parent {parent}"
        super().__init__(
            f"agent {agent_id} was registered with {has}, and keeps that; nothing was changed: "
            "leave --parent out, or register another pane"
        )


class ParentNotFound(AgentTowerError):
    """The parent of a swarm agent does not exist."""

    code = "parent_not_found"


class ParentInactive(AgentTowerError):
    """The parent of a swarm agent has lost its pane."""

    code = "parent_inactive"


class ParentRoleInvalid(AgentTowerError):
    """The parent of a swarm agent is no slave."""

    code = "parent_role_invalid"


# --- logs of agents ----------------------------------------------------------------------------


class LogPathInvalid(AgentTowerError):
    """A path that no log may have (legacy surfaces part 1, section 9.1)."""

    code = "log_path_invalid"


class LogPathInUse(AgentTowerError):
    """Another agent's output goes into that file."""

    code = "log_path_in_use"

    def __init__(self, log_path: str, owner: str) -> None:
        super().__init__(
            f"{log_path} is the log of agent {owner}; choose another path, or detach that one "
            f"with 'agenttower agent detach-log {owner}'"
        )


class PipePaneFailed(BenchError):
    """tmux would not change the pane's pipe."""

    code = "pipe_pane_failed"
    error_class = "pipe_pane_failed"


class AttachmentNotFound(AgentTowerError):
    """The agent has no log attachment of the kind that was asked for."""

    code = "attachment_not_found"


class LogFileMissing(AgentTowerError):
    """The host file of a log is not there."""

    code = "log_file_missing"


class LogChangeUnderWay(AgentTowerError):
    """Attaching or detaching takes longer than a request may wait; it goes on by itself."""

    def __init__(self, agent_id: str) -> None:
        super().__init__(
            f"the log of agent {agent_id} is still being attached or detached; it goes on by "
            f"itself: see 'agenttower agent log-status {agent_id}'"
        )


class RegistrationUnderWay(AgentTowerError):
    """Registering with a log takes longer than a request may wait; it goes on by itself."""

    def __init__(self) -> None:
        super().__init__(
            "the agent is still being registered with its log; it goes on by itself: "
            "see 'agenttower agent list'"
        )


# --- managed sessions --------------------------------------------------------------------------


class TemplateNotFound(AgentTowerError):
    code = "managed_template_not_found"

    def __init__(self, template_name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"no template {template_name!r}; known: {', '.join(known) or 'none'} "
            "(see 'agenttower template list')",
            template_name=template_name,
            known_templates=list(known),
        )


class LaunchCommandNotFound(AgentTowerError):
    code = "managed_launch_command_not_found"

    def __init__(self, profile_name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"no launch profile {profile_name!r}; known: {', '.join(known) or 'none'} "
            "(see 'agenttower profile list')",
            profile_name=profile_name,
            known_profiles=list(known),
        )


class LayoutNotFound(AgentTowerError):
    code = "managed_layout_not_found"

    def __init__(self, layout_id: str) -> None:
        super().__init__(
            f"no layout {layout_id!r}; see 'agenttower layout list'", layout_id=layout_id
        )


class PaneNotFound(AgentTowerError):
    code = "managed_pane_not_found"

    def __init__(self, pane_id: str) -> None:
        super().__init__(
            f"no managed pane {pane_id!r}; see 'agenttower pane list'", pane_id=pane_id
        )


class PaneLabelConflict(AgentTowerError):
    code = "managed_pane_label_conflict"

    def __init__(self, container_id: str, label: str, holder: str) -> None:
        super().__init__(
            f"label {label!r} is in use in container {container_id[:12]} by layout {holder}; "
            "put a prefix before every label with --label-prefix (label_prefix)",
            container_id=container_id,
            label=label,
        )


class PaneIllegalTransition(AgentTowerError):
    code = "managed_pane_illegal_transition"

    def __init__(self, pane_id: str, current_state: str, requested_action: str) -> None:
        super().__init__(
            f"pane {pane_id} is {current_state}, so it cannot be used for {requested_action}; "
            f"see 'agenttower pane show {pane_id}'",
            pane_id=pane_id,
            current_state=current_state,
            requested_action=requested_action,
        )


class LayoutCapacityExceeded(AgentTowerError):
    code = "managed_layout_capacity_exceeded"

    def __init__(self, current_count: int, limit: int) -> None:
        super().__init__(
            f"{current_count} layouts exist and the limit is {limit}; remove one first "
            "(see 'agenttower layout list')",
            current_count=current_count,
            limit=limit,
        )


class PaneProtectedAdopted(AgentTowerError):
    code = "managed_pane_protected_adopted"

    def __init__(self, agent_id: str) -> None:
        super().__init__(
            f"agent {agent_id} was adopted, not made by AgentTower, and is never destroyed by it; "
            "end its pane yourself if you want it gone",
            agent_id=agent_id,
            is_adopted=True,
        )


class IllegalRecreateSource(AgentTowerError):
    code = "managed_pane_illegal_recreate_source"

    def __init__(self, predecessor_pane_id: str, current_state: str) -> None:
        super().__init__(
            f"pane {predecessor_pane_id} is {current_state}; only removed and failed panes can be "
            f"recreated: first run 'agenttower pane remove {predecessor_pane_id}'",
            predecessor_pane_id=predecessor_pane_id,
            current_state=current_state,
        )


class RecreateChainTooDeep(AgentTowerError):
    code = "managed_pane_recreate_chain_too_deep"

    def __init__(self, predecessor_pane_id: str, depth: int, limit: int) -> None:
        super().__init__(
            f"pane {predecessor_pane_id} stands at depth {depth} of its chain, and a chain ends at "
            f"{limit}; find out why it keeps failing, then create a new layout",
            predecessor_pane_id=predecessor_pane_id,
            predecessor_chain_depth=depth,
            limit=limit,
        )


class ConcurrentRecreate(AgentTowerError):
    code = "managed_pane_concurrent_recreate"

    def __init__(self, predecessor_pane_id: str, successor: str) -> None:
        super().__init__(
            f"pane {predecessor_pane_id} has a successor already; "
            f"see 'agenttower pane show {successor}'",
            predecessor_pane_id=predecessor_pane_id,
            in_flight_successor_pane_id=successor,
        )


class RemovalFailed(AgentTowerError):
    """A removal that was tried and did not succeed; it may be asked for again."""

    def __init__(self, label: str, pane_id: str, reason: str) -> None:
        super().__init__(
            f"pane {label} ({pane_id}) could not be removed: {reason}; "
            "it stays as it is, and 'agenttower pane remove' tries again"
        )


class RemovalUnderWay(AgentTowerError):
    """A removal takes longer than a request may wait; it goes on by itself."""

    def __init__(self) -> None:
        super().__init__(
            "the removal is accepted and still under way; it goes on by itself: "
            "ask again to wait for it, or see 'agenttower pane list'"
        )


# --- prompts -----------------------------------------------------------------------------------


class TargetLabelAmbiguous(AgentTowerError):
    """Several active agents have the label."""

    code = "target_label_ambiguous"

    def __init__(self, label: str, agent_ids: Sequence[str]) -> None:
        super().__init__(
            f"label {label[:80]!r} is that of {len(agent_ids)} active agents "
            f"({', '.join(agent_ids[:5])}); name one by its agent id",
            agent_ids=list(agent_ids),
        )


class BodyRefused(AgentTowerError):
    """A prompt's text breaks a rule; nothing was stored. Its subclasses name the rule."""


class BodyEmpty(BodyRefused):
    """There is no text."""

    code = "body_empty"


class BodyInvalidEncoding(BodyRefused):
    """It is not UTF-8."""

    code = "body_invalid_encoding"


class BodyInvalidChars(BodyRefused):
    """It has a control character that a terminal would obey."""

    code = "body_invalid_chars"


class BodyTooLarge(BodyRefused):
    """It is too long, its headers included."""

    code = "body_too_large"


class SenderNotInPane(AgentTowerError):
    """``queue.send_input`` without the pane it is sent from."""

    code = "sender_not_in_pane"

    def __init__(self) -> None:
        super().__init__(
            "this method sends for the agent of a pane, and no caller_pane was given; "
            "on the host use 'agenttower send' (queue.operator_input)"
        )


class SenderNotPermitted(AgentTowerError):
    """The pane that sends is no active agent's."""

    code = "sender_role_not_permitted"

    def __init__(self) -> None:
        super().__init__(
            "no active agent is registered on the sending pane; "
            "register it with 'agenttower register-self', and give it the role master on the host"
        )


class OperatorPaneInactive(AgentTowerError):
    """The pane that approves, delays or cancels is no active agent's."""

    code = "operator_pane_inactive"

    def __init__(self) -> None:
        super().__init__(
            "no active agent is registered on the pane that asks; "
            "ask from the host, or register the pane first"
        )


class MessageNotFound(AgentTowerError):
    """No prompt has the id."""

    code = "message_id_not_found"

    def __init__(self, message_id: str) -> None:
        super().__init__(f"no prompt {message_id[:80]!r}; see 'agenttower queue list'")


class TerminalState(AgentTowerError):
    """The prompt has reached its end."""

    code = "terminal_state_cannot_change"

    def __init__(self, message_id: str, state: str) -> None:
        super().__init__(f"prompt {message_id} is {state} already; send it again if you want to")


class DeliveryInProgress(AgentTowerError):
    """The prompt is being delivered at this moment."""

    code = "delivery_in_progress"

    def __init__(self, message_id: str) -> None:
        super().__init__(
            f"prompt {message_id} is being delivered now; "
            f"see 'agenttower queue show {message_id}' for what becomes of it"
        )


class ApprovalNotApplicable(AgentTowerError):
    """The prompt is not blocked, or not for a reason that may be overruled."""

    code = "approval_not_applicable"


class SwitchIsOff(ApprovalNotApplicable):
    """The kill switch blocked the prompt, and still is off."""


class PromptRefused(AgentTowerError):
    """A prompt that would have been accepted blocked, from somebody who wants all or nothing."""

    code = "permission_denied"

    def __init__(self, target: str, block_reason: str) -> None:
        super().__init__(
            f"the prompt for agent {target} was refused ({block_reason}); nothing was written",
            block_reason=block_reason,
        )


class PromptRefusedBySwitch(PromptRefused):
    """The reason is the kill switch, and nothing else."""

    code = "routing_disabled"


class DelayNotApplicable(AgentTowerError):
    """The prompt is blocked already."""

    code = "delay_not_applicable"

    def __init__(self, message_id: str, reason: str) -> None:
        super().__init__(f"prompt {message_id} is blocked already ({reason})")


class RoutingToggleHostOnly(AgentTowerError):
    """The kill switch is the host's."""

    code = "routing_toggle_host_only"

    def __init__(self) -> None:
        super().__init__(
            "routing is switched on and off from the host only; "
            "run 'agenttower routing enable|disable' there"
        )


class SinceInvalid(AgentTowerError):
    """``since`` has another form."""

    code = "since_invalid_format"

    def __init__(self, value: str) -> None:
        super().__init__(
            f"since {value[:80]!r} is no time of the form 2026-05-06T18:01:34Z "
            "or 2026-05-06T18:01:34.512Z"
        )


class OriginInvalid(AgentTowerError):
    """``origin`` is none."""

    code = "queue_origin_invalid"

    def __init__(self, value: str) -> None:
        super().__init__(f"origin {value[:80]!r} is neither 'direct' nor 'route'")


class DaemonShuttingDown(AgentTowerError):
    """The daemon is stopping and accepts nothing new."""

    code = "daemon_shutting_down"

    def __init__(self) -> None:
        super().__init__("the daemon is stopping; nothing was done: ask again when it is back")
