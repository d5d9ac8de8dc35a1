"""Who speaks for a pane: the ``caller_pane`` of a request (legacy surfaces part 2, section 0.3)."""

from __future__ import annotations

from dataclasses import dataclass

from agenttower.domain.prompts import HOST_OPERATOR
from agenttower.errors import BadRequest, OperatorPaneInactive, SenderNotInPane, SenderNotPermitted
from agenttower.services.caller import Caller, same_container
from agenttower.store import targets
from agenttower.store.agents import AgentRecord


@dataclass(frozen=True, slots=True)
class PaneClaim:
    """The pane that a client says it speaks for."""

    container_id: str
    socket_path: str
    pane_id: str
    agent_id: str | None = None


def sender(caller: Caller, claim: PaneClaim | None) -> AgentRecord:
    """The agent that sends.

    :raises SenderNotInPane: no pane is claimed.
    :raises SenderNotPermitted: no active agent is registered on it.
    :raises BadRequest: the pane is in another container than the caller, or another agent's.
    """
    if claim is None:
        raise SenderNotInPane
    found = _agent(caller, claim)
    if found is None:
        raise SenderNotPermitted
    return found


def operator(caller: Caller, claim: PaneClaim | None) -> str:
    """Who acts on a prompt: the agent of the claimed pane, or the operator on the host.

    :raises OperatorPaneInactive: no active agent is registered on the pane.
    :raises BadRequest: as for :func:`sender`, or a caller in a bench claims none.
    """
    if claim is None:
        if caller.kind != "host":
            raise BadRequest("caller_pane: is required from inside a container")
        return HOST_OPERATOR
    found = _agent(caller, claim)
    if found is None:
        raise OperatorPaneInactive
    return found.agent_id


def _agent(caller: Caller, claim: PaneClaim) -> AgentRecord | None:
    """The active agent of a claimed pane. The kernel says which container a caller is in, and no
    claim reaches beyond it."""
    caller.require_known()
    own = caller.container_id
    if caller.kind == "bench" and (own is None or not same_container(own, claim.container_id)):
        raise BadRequest("caller_pane: is in another container than the caller")
    found = targets.on_pane(own or claim.container_id, claim.socket_path, claim.pane_id)
    if found is not None and claim.agent_id not in (None, found.agent_id):
        raise BadRequest("caller_pane: another agent than agent_id says is registered on the pane")
    return found
