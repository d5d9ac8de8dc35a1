"""Benches, the panes that a scan has found, and agents, as methods of a client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from agenttower.client.asking import CALL_SECONDS, SLOW_SECONDS, Ask, given
from agenttower.client.registering import given_of, register_self
from agenttower.client.shapes import Agent, Container, FoundPane


class Containers:
    """``client.containers``: benches."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def list(self, *, active_only: bool = False) -> list[Container]:
        """The benches that are known; in a bench that bench alone."""
        answer = self._ask("list_containers", {"active_only": active_only}, CALL_SECONDS)
        return cast("list[Container]", answer["containers"])

    def own(self) -> str | None:
        """The id of the bench that this process runs in, by the kernel's word; ``None``: host."""
        answer = self._ask("list_containers", {"active_only": True}, CALL_SECONDS)
        return cast("str | None", answer["caller_container_id"])

    def scan(self) -> dict[str, Any]:
        """Look for benches now; for the host."""
        return self._ask("scan_containers", {}, SLOW_SECONDS)

    def scan_panes(self, container: str | None = None) -> dict[str, Any]:
        """Look for tmux panes now, in one bench or in all."""
        return self._ask("scan_panes", given(container=container), SLOW_SECONDS)

    def panes(
        self, container: str | None = None, *, active_only: bool = False
    ) -> Sequence[FoundPane]:
        """The panes of whomever that the last scan has found."""
        params = given(container=container, active_only=active_only)
        return cast("list[FoundPane]", self._ask("list_panes", params, CALL_SECONDS)["panes"])


class Agents:
    """``client.agents``."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def list(
        self,
        *,
        role: str | Sequence[str] | None = None,
        container: str | None = None,
        parent: str | None = None,
        active_only: bool = False,
    ) -> list[Agent]:
        """Registered agents.

        :param container: its id, 64 or 12 digits.
        """
        roles = role if role is None or isinstance(role, str) else [*role]
        params = given(
            role=roles, container_id=container, parent_agent_id=parent, active_only=active_only
        )
        return cast("list[Agent]", self._ask("list_agents", params, CALL_SECONDS)["agents"])

    def register_self(
        self,
        *,
        role: str | None = None,
        capability: str | None = None,
        label: str | None = None,
        project: str | None = None,
        parent: str | None = None,
        attach_log: bool = False,
    ) -> Agent:
        """Register the agent of the tmux pane that this process runs in; for use in a bench.

        :raises HostContextUnsupported: or another of :func:`.registering.register_self`.
        """
        typed = {
            "role": role,
            "capability": capability,
            "label": label,
            "project": project,
            "parent": parent,
            "attach_log": attach_log,
        }
        return cast(Agent, register_self(self._ask, given_of(typed)))

    def set_role(self, agent_id: str, role: str, *, confirm: bool = False) -> dict[str, Any]:
        """:param confirm: needed for ``master``, who may write into others."""
        params = {"agent_id": agent_id, "role": role, "confirm": confirm}
        return self._ask("set_role", params, CALL_SECONDS)

    def set_label(self, agent_id: str, label: str) -> dict[str, Any]:
        """A name for people."""
        return self._ask("set_label", {"agent_id": agent_id, "label": label}, CALL_SECONDS)

    def set_capability(self, agent_id: str, capability: str) -> dict[str, Any]:
        """What runs there."""
        params = {"agent_id": agent_id, "capability": capability}
        return self._ask("set_capability", params, CALL_SECONDS)
