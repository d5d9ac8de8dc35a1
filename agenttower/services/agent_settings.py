"""``set_role``, ``set_label``, ``set_capability`` (legacy surfaces part 1, section 8.5), and all of
them at once for ``app.agent.update``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agenttower.clock import Clock
from agenttower.crashpoints import crash_point
from agenttower.domain.identifiers import is_agent_id
from agenttower.domain.permissions import Role, effective_permissions
from agenttower.errors import (
    AgentInactive,
    AgentNotFound,
    ContainerOfAgentInactive,
    MasterConfirmRequired,
    SwarmViaSetRole,
    ValueOutOfSet,
)
from agenttower.services.agent_fields import check_capability, check_role, fit_label
from agenttower.services.agents import audit_role_change, known_agent
from agenttower.services.caller import Caller
from agenttower.store import containers, registry
from agenttower.store.agents import AgentRecord
from agenttower.store.database import Store, Transaction


class AgentSettings:
    """Changes what is said of an agent. Managed and adopted agents are alike here (FR-008)."""

    def __init__(self, store: Store, clock: Clock, wake_readers: Callable[[], None]) -> None:
        self._store = store
        self._clock = clock
        self._wake_readers = wake_readers

    def set_role(
        self, caller: Caller, agent_id: str, role: str, *, confirm: bool
    ) -> dict[str, Any]:
        """Give an agent another role; what it may do follows at once.

        :raises SwarmViaSetRole: always for ``swarm``.
        :raises MasterConfirmRequired: ``master`` without ``confirm``.
        :raises HostOnly: a bench client wants a master: only the operator makes masters.
        """
        _check_id(agent_id)
        check_role(role)
        if role == Role.SWARM:
            raise SwarmViaSetRole
        if role == Role.MASTER and not confirm:
            raise MasterConfirmRequired
        if role == Role.MASTER:
            caller.require_host()
        with self._store.transaction() as transaction:
            agent = _living(caller, agent_id)
            container = containers.by_ref(agent.container_id)
            if container is None or not container.active:
                raise AgentInactive(
                    f"the container of agent {agent_id} does not run, so its role stays; "
                    "start it and run 'agenttower scan'"
                )
            changed = self._write(transaction, agent, "role", role)
            if changed:
                now = self._clock()
                audit_role_change(agent_id, agent.role, role, confirm, caller, now)
        return {
            **_result(agent, "role", role),
            "effective_permissions": effective_permissions(role),
            "audit_appended": changed,
        }

    def set_label(self, caller: Caller, agent_id: str, label: str) -> dict[str, Any]:
        """Give an agent another label. :raises FieldTooLong: over 64 characters."""
        _check_id(agent_id)
        label = fit_label(label)
        return self._set(caller, agent_id, "label", label)

    def set_capability(self, caller: Caller, agent_id: str, capability: str) -> dict[str, Any]:
        """Give an agent another capability. :raises ValueOutOfSet: it can be none."""
        _check_id(agent_id)
        check_capability(capability)
        return self._set(caller, agent_id, "capability", capability)

    def update(self, caller: Caller, agent_id: str, changes: Mapping[str, str]) -> bool:
        """Change several fields at once, or none (``app.agent.update``; app surface, section 15).

        :param changes: new values by field: ``role``, ``capability``, ``label``, ``project_path``,
            checked for shape.
        :return: whether anything changed; one audit line tells of all that did.
        :raises AgentNotFound: there is no such agent, or it has lost its pane.
        :raises SwarmViaSetRole: ``swarm`` cannot be given this way.
        :raises ContainerOfAgentInactive: a role is given only in a container that runs.
        """
        if changes.get("role") == Role.SWARM:
            raise SwarmViaSetRole
        if changes.get("role") == Role.MASTER:
            caller.require_host()
        with self._store.transaction() as transaction:
            agent = known_agent(caller, agent_id)
            if "role" in changes:
                container = containers.by_ref(agent.container_id)
                if container is None or not container.active:
                    raise ContainerOfAgentInactive(agent_id, agent.container_id)
            if not agent.active:
                raise AgentNotFound(agent_id)
            new = {name: text for name, text in changes.items() if getattr(agent, name) != text}
            if not new:
                return False
            registry.update(agent_id, new)
            audit_role_change(
                agent_id,
                agent.role,
                new.get("role", agent.role),
                False,
                caller,
                self._clock(),
                changed=sorted(new),
            )
            transaction.afterwards("readers", self._wake_readers)
            crash_point("agent.updating")
        return True

    def _set(self, caller: Caller, agent_id: str, field: str, value: str) -> dict[str, Any]:
        with self._store.transaction() as transaction:
            agent = _living(caller, agent_id)
            self._write(transaction, agent, field, value)
        return {**_result(agent, field, value), "audit_appended": False}

    def _write(self, transaction: Transaction, agent: AgentRecord, field: str, value: str) -> bool:
        if getattr(agent, field) == value:
            return False
        registry.update(agent.agent_id, {field: value})
        transaction.afterwards("readers", self._wake_readers)
        return True


def _check_id(agent_id: str) -> None:
    if not is_agent_id(agent_id):
        raise ValueOutOfSet("agent_id must look like agt_0123456789ab")


def _living(caller: Caller, agent_id: str) -> AgentRecord:
    """The agent, if it is active and the caller may change it (R12)."""
    agent = known_agent(caller, agent_id)
    if not agent.active:
        raise AgentInactive(
            f"agent {agent_id} has lost its pane, so nothing about it can be changed; "
            "register its pane again if that is back"
        )
    return agent


def _result(agent: AgentRecord, field: str, value: str) -> dict[str, Any]:
    return {
        "agent_id": agent.agent_id,
        "field": field,
        "prior_value": getattr(agent, field),
        "new_value": value,
    }
