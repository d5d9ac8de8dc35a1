"""What the services' errors are called in ``app.*`` (app surface, section 6).

One table a method: the first line whose class the error has decides. What no line has is
``internal_error``, so that nothing outside of the closed set reaches the wire.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agenttower import errors
from agenttower.errors import AgentTowerError
from agenttower.protocol.app.errors import ERRORS
from agenttower.protocol.managed_errors import MANAGED_ERRORS
from agenttower.rpc.app.binding import Handler, InSession
from agenttower.rpc.app.errors import AppError
from agenttower.rpc.method import Call, Pending, Result
from agenttower.rpc.schemas_logs import Order

Details = Callable[[AgentTowerError, Any], dict[str, object]]
"""Of the error and of the parameters of the request."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A code of section 6, and where its details come from."""

    code: str
    details: Details


Table = Mapping[type[AgentTowerError], Refusal]


def _none(_error: AgentTowerError, _params: Any) -> dict[str, object]:
    return {}


def _same(error: AgentTowerError, _params: Any) -> dict[str, object]:
    return dict(error.details)


def _of(key: str, parameter: str) -> Details:
    return lambda error, params: {key: getattr(params, parameter)}


def _invalid(field: str, reason: str) -> Refusal:
    return Refusal("validation_failed", lambda error, params: {"field": field, "reason": reason})


def _blocked(error: AgentTowerError, params: Any) -> dict[str, object]:
    agent_id = error.details.get("agent_id") or getattr(params, "agent_id", "")
    return {"agent_id": agent_id, "reason": error.code}


_NO_AGENT = Refusal("agent_not_found", _of("agent_id", "agent_id"))
_INACTIVE = Refusal("container_inactive", _same)
_NO_PARENT = Refusal("agent_not_found", _of("agent_id", "parent_agent_id"))
_PARENT_MUST_BE = _invalid("parent_agent_id", "must be an active slave")

REGISTER: Table = {
    errors.ContainerInactive: _INACTIVE,
    errors.PaneMadeHere: _invalid("pane_id", "is a pane of a layout, which registers its own"),
    errors.PaneMismatch: Refusal("pane_not_found", _same),
    errors.PaneUnknownToDaemon: Refusal(
        "pane_not_found",
        lambda error, params: {"pane_id": params.pane_id, "mismatch_field": "pane_id"},
    ),
    errors.PaneAlreadyRegistered: Refusal(
        "pane_already_registered", lambda error, params: {"agent_id": error.details["agent_id"]}
    ),
    errors.ParentNotFound: _NO_PARENT,
    errors.ValueOutOfSet: _NO_PARENT,  # all else is checked before: it is no agent's id
    errors.SwarmParentRequired: _invalid("parent_agent_id", "missing; a swarm agent needs one"),
    errors.ParentRoleMismatch: _invalid("parent_agent_id", "only a swarm agent has one"),
    errors.ParentImmutable: _invalid(
        "parent_agent_id", "the agent of this pane was registered with another, and keeps it"
    ),
    errors.ParentInactive: _PARENT_MUST_BE,
    errors.ParentRoleInvalid: _PARENT_MUST_BE,
}
REGISTER_WITH_LOG: Table = {
    **REGISTER,
    AgentTowerError: Refusal("log_attach_blocked", _blocked),
}
UPDATE: Table = {
    errors.AgentNotFound: _NO_AGENT,
    errors.ContainerOfAgentInactive: _INACTIVE,
}
ATTACH: Table = {**UPDATE, AgentTowerError: Refusal("log_attach_blocked", _blocked)}
DETACH: Table = UPDATE
SEND_INPUT: Table = {
    errors.AgentNotFound: Refusal("agent_not_found", _of("agent_id", "target_agent_id")),
    errors.PromptRefusedBySwitch: Refusal("routing_disabled", _none),
    errors.PromptRefused: Refusal(
        "permission_denied", lambda error, params: {"reason": "feat009_permission_gate"}
    ),
    errors.BodyRefused: _invalid("payload", "cannot be sent"),
}
QUEUE: Table = {
    errors.MessageNotFound: Refusal("queue_message_not_found", _of("message_id", "message_id")),
    errors.SwitchIsOff: Refusal("routing_disabled", _none),
    errors.TerminalState: Refusal("stale_object", _none),
    errors.DeliveryInProgress: Refusal("stale_object", _none),
    errors.ApprovalNotApplicable: Refusal("stale_object", _none),
    errors.DelayNotApplicable: Refusal("stale_object", _none),
}
ROUTE: Table = {
    errors.RouteNotFound: Refusal("route_not_found", _of("route_id", "route_id")),
    errors.TooManyRoutes: _invalid("app.route.add", "too_many_routes"),
}
PARTS_OF_A_RULE: Mapping[type[AgentTowerError], str] = {
    errors.RouteEventTypeInvalid: "event_type",
    errors.RouteMasterRuleInvalid: "master",
    errors.RouteTargetRuleInvalid: "target",
    errors.RouteSourceScopeInvalid: "source_scope",
    errors.RouteTemplateInvalid: "template",
}
"""The parameter of ``app.route.add`` that each of these is about."""


def refusing_as(table: Table, handler: Handler) -> Handler:
    """A handler whose errors are of the closed set."""

    def run(call: Call[InSession[Any]]) -> Result | Pending:
        try:
            return handler(call)
        except AgentTowerError as error:
            params = call.params.params
            if isinstance(params, Order):
                params = params.params
            raise in_app_words(table, error, params) from error

    return run


def in_app_words(table: Table, error: AgentTowerError, params: Any) -> AgentTowerError:
    """The error as ``app.*`` has it.

    :param params: the decoded parameters of the request.
    """
    if isinstance(error, AppError | errors.ValidationFailed | errors.HostOnly):
        return error
    if error.code != "internal_error":
        for kind, refusal in table.items():
            if _is(error, kind):
                return AppError(refusal.code, error.message, **refusal.details(error, params))
    return AppError("internal_error", error.message)


def in_managed_words(error: AgentTowerError) -> AgentTowerError:
    """The error as ``app.managed_*`` has it: by its own code, where managed.md has that."""
    if isinstance(error, errors.ValidationFailed) and error.rule is not None:
        return errors.ValidationFailed(error.field, error.rule)
    if error.code in MANAGED_ERRORS or error.code in ERRORS:
        return error
    if isinstance(error, errors.DockerUnavailable):
        return AppError("docker_unavailable", error.message)
    return AppError("internal_error", error.message)


def _is(error: AgentTowerError, kind: type[AgentTowerError]) -> bool:
    """Whether it is of this class. One that was met elsewhere has only the class's own code."""
    if isinstance(error, errors.RecordedError) and kind is not AgentTowerError:
        return vars(kind).get("code") == error.code
    return isinstance(error, kind)
