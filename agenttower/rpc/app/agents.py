"""``app.agent.*`` and ``app.log.*`` (app surface, sections 14 to 16).

What the worker does is waited for without holding a thread; what was accepted goes on whether or
not anybody waits.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from agenttower.errors import (
    AgentInactive,
    AgentNotFound,
    AgentTowerError,
    AttachmentNotFound,
    LogChangeUnderWay,
    RegistrationUnderWay,
)
from agenttower.protocol.app.agents import (
    ATTACH_LOG,
    DETACH_LOG,
    REGISTER_FROM_PANE,
    UPDATE,
    LogOfAgent,
    OneAgent,
    RegisterFromPane,
)
from agenttower.rpc.app import refusals
from agenttower.rpc.app.agent_fields import AgentUpdate, register_params, update_params
from agenttower.rpc.app.binding import InSession, app_method, asking
from agenttower.rpc.app.decode import app_params
from agenttower.rpc.app.refusals import refusing_as
from agenttower.rpc.app.sessions import AppSessions
from agenttower.rpc.method import Call, Method, Pending, Result
from agenttower.rpc.methods.logs import CHANGE_WAIT_S
from agenttower.rpc.schemas_logs import Order, ordering
from agenttower.rpc.services import Services
from agenttower.store.panes import PaneKey

_SAID = ("role", "capability", "label", "project_path", "parent_agent_id")


def agent_methods(services: Services, sessions: AppSessions) -> dict[str, Method[Any]]:
    """The mutations of agents, over one set of services."""

    def register(call: Call[InSession[Order[RegisterFromPane]]]) -> Result | Pending:
        wanted, change_id = call.params.params.params, call.params.params.change_id
        named = {name: getattr(wanted, name) for name in _SAID}
        said = {name: str(value) for name, value in named.items() if value is not UNSET}
        adoption, key = services.adoption, _key(wanted)
        if not wanted.attach_log:
            return _row(services, adoption.adopt(asking(call), key, said))
        begun = adoption.begin(asking(call), change_id, key, said)
        agent_id = adoption.outcome(change_id) if begun else None
        if agent_id is not None:
            return _row(services, agent_id)
        if call.final:
            raise RegistrationUnderWay
        return Pending(call.asked_at + CHANGE_WAIT_S)

    with_log = refusing_as(refusals.REGISTER_WITH_LOG, register)
    without = refusing_as(refusals.REGISTER, register)

    def adopt(call: Call[InSession[Order[RegisterFromPane]]]) -> Result | Pending:
        return (with_log if call.params.params.params.attach_log else without)(call)

    def update(call: Call[InSession[AgentUpdate]]) -> Result:
        wanted = call.params.params
        services.update_agent(asking(call), wanted.agent_id, wanted.changes)
        return _row(services, wanted.agent_id)

    def attach(call: Call[InSession[Order[LogOfAgent]]]) -> Result | Pending:
        agent_id, change_id = _log_of(call)
        begun = services.logs.begin_attach(asking(call), change_id, agent_id, None)
        return _changed(services, begun, call)

    def detach(call: Call[InSession[Order[LogOfAgent]]]) -> Result | Pending:
        agent_id, change_id = _log_of(call)
        try:
            begun = services.logs.begin_detach(asking(call), change_id, agent_id)
            return _changed(services, begun, call)
        except AgentTowerError as error:
            row = _row(services, agent_id)
            if _has_a_log(error, row):
                raise
            return row

    return {
        REGISTER_FROM_PANE.name: app_method(
            REGISTER_FROM_PANE,
            adopt,
            sessions,
            decode=ordering(register_params),
        ),
        UPDATE.name: app_method(
            UPDATE, refusing_as(refusals.UPDATE, update), sessions, decode=update_params
        ),
        ATTACH_LOG.name: app_method(
            ATTACH_LOG,
            refusing_as(refusals.ATTACH, attach),
            sessions,
            decode=ordering(app_params(LogOfAgent)),
        ),
        DETACH_LOG.name: app_method(
            DETACH_LOG,
            refusing_as(refusals.DETACH, detach),
            sessions,
            decode=ordering(app_params(LogOfAgent)),
        ),
    }


def _key(wanted: RegisterFromPane) -> PaneKey:
    return PaneKey(
        container_id=wanted.container_id,
        tmux_socket_path=wanted.tmux_socket,
        tmux_session_name=wanted.session_name,
        tmux_window_index=wanted.window_index,
        tmux_pane_index=wanted.pane_index,
        tmux_pane_id=wanted.pane_id,
    )


def _log_of(call: Call[InSession[Order[LogOfAgent]]]) -> tuple[str, str]:
    order = call.params.params
    return order.params.agent_id, order.change_id


def _changed(
    services: Services, begun: bool, call: Call[InSession[Order[LogOfAgent]]]
) -> OneAgent | Pending:
    """The agent once the worker is done with its log."""
    agent_id, change_id = _log_of(call)
    if begun and services.logs.outcome(change_id) is not None:
        return _row(services, agent_id)
    if call.final:
        raise LogChangeUnderWay(agent_id)
    return Pending(call.asked_at + CHANGE_WAIT_S)


def _has_a_log(error: AgentTowerError, row: OneAgent) -> bool:
    """Whether an error kept a log from being detached, rather than told that there is none."""
    if error.code == AttachmentNotFound.code:
        return False
    # A pane that is gone has no log any more; one in a stopped container may have.
    return not isinstance(error, AgentInactive) or row.row.log_attached


def _row(services: Services, agent_id: str) -> OneAgent:
    row = services.app_rows.agent(agent_id)
    if row is None:
        raise AgentNotFound(agent_id)
    return OneAgent(row)
