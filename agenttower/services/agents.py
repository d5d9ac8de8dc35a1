"""The agent registry: what readers see of it (legacy surfaces part 1, section 8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agenttower.clock import Micros, to_rfc3339, to_rfc3339_or_none
from agenttower.domain.identifiers import is_agent_id, is_container_id
from agenttower.domain.permissions import Role, effective_permissions
from agenttower.errors import AgentNotFound, ValueOutOfSet
from agenttower.services.attention import attention_view
from agenttower.services.caller import Caller
from agenttower.store import agents, attention, containers
from agenttower.store.agents import AgentRecord


class AgentService:
    """``list_agents``."""

    def listing(
        self,
        *,
        roles: Sequence[str] | None,
        container_id: str | None,
        active_only: bool,
        parent_agent_id: str | None,
        scope: str | None,
    ) -> dict[str, Any]:
        """Agents that pass every filter (legacy section 8.4).

        :param scope: the only container whose agents the caller may see, or ``None``.
        :raises ValueOutOfSet: a role, container id or agent id is none.
        """
        for role in roles or ():
            if role not in set(Role):
                raise ValueOutOfSet(f"role {ascii(role)[:40]} is not one of {', '.join(Role)}")
        if container_id is not None and not is_container_id(container_id):
            raise ValueOutOfSet("container_id must have exactly 64 or 12 lower-case hex digits")
        if parent_agent_id is not None and not is_agent_id(parent_agent_id):
            raise ValueOutOfSet("parent_agent_id must look like agt_0123456789ab")
        records = agents.listing(
            roles=roles,
            container_id=container_id,
            active_only=active_only,
            parent_agent_id=parent_agent_id,
        )
        waits = attention.of_agents([record.agent_id for record in records if record.active])
        return {
            "filter": {
                "role": list(roles) if roles is not None else None,
                "container_id": container_id,
                "active_only": active_only,
                "parent_agent_id": parent_agent_id,
            },
            "agents": [
                agent_view(record) | {"attention": attention_view(waits.get(record.agent_id))}
                for record in records
                if scope is None or record.container_id == scope
            ],
        }


def agent_view(record: AgentRecord) -> dict[str, Any]:
    """The agent record of legacy section 8.2, with its ``origin`` (FR-005)."""
    return {
        "agent_id": record.agent_id,
        "container_id": record.container_id,
        "container_name": record.container_name,
        "container_user": record.container_user,
        "tmux_socket_path": record.tmux_socket_path,
        "tmux_session_name": record.tmux_session_name,
        "tmux_window_index": record.tmux_window_index,
        "tmux_pane_index": record.tmux_pane_index,
        "tmux_pane_id": record.tmux_pane_id,
        "pane_pid": record.pane_pid,
        "cwd": record.cwd,
        "role": record.role,
        "capability": record.capability,
        "label": record.label,
        "project_path": record.project_path,
        "parent_agent_id": record.parent_agent_id,
        "effective_permissions": effective_permissions(record.role),
        "created_at": to_rfc3339(record.created_at),
        "last_registered_at": to_rfc3339(record.last_registered_at),
        "last_seen_at": to_rfc3339_or_none(record.last_seen_at),
        "active": record.active,
        "origin": record.origin,
    }


def audit_role_change(
    agent_id: str,
    prior: str | None,
    new: str,
    confirm_provided: bool,
    caller: Caller,
    now: Micros,
    changed: Sequence[str] = (),
) -> None:
    """Write the line of a role given or changed, in the caller's transaction (section 11).

    :param prior: ``None`` for a new agent.
    :param confirm_provided: ``confirm`` as the caller sent it.
    :param changed: what ``app.agent.update`` changed beside the role, or instead of it; additive.
    """
    payload = {
        "agent_id": agent_id,
        "prior_role": prior,
        "new_role": new,
        "confirm_provided": confirm_provided,
        "socket_peer_uid": caller.uid,
        **({"changed": list(changed)} if changed else {}),
        **caller.attribution,
    }
    containers.append_audit("agent_role_change", payload, now)


def known_agent(caller: Caller, agent_id: str) -> AgentRecord:
    """The agent of this id, if the caller may see it.

    :raises AgentNotFound: there is none.
    :raises HostOnly: it is in another container than the caller's (R12).
    """
    agent = agents.by_id(agent_id)
    caller.require_container(None if agent is None else agent.container_id)
    if agent is None:
        raise AgentNotFound(agent_id)
    return agent
