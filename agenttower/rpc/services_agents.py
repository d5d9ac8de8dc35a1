"""What the pane and agent methods need of the services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from agenttower.services.caller import Caller
from agenttower.store.panes import PaneKey

Result = Mapping[str, object]


class AdoptionServices(Protocol):
    """See :class:`agenttower.services.adoption.Adoption`."""

    def adopt(self, caller: Caller, key: PaneKey, given: Mapping[str, Any]) -> str: ...

    def begin(
        self, caller: Caller, change_id: str, key: PaneKey, given: Mapping[str, Any]
    ) -> bool: ...

    def outcome(self, change_id: str) -> str | None: ...


class AgentServices(Protocol):
    """Part of :class:`agenttower.rpc.services.Services`."""

    def status(self, *, whole: bool) -> Result: ...

    def scan_panes(self, caller: Caller, container: str | None) -> Result | None:
        """``None`` while another scan is under way; waiting requests are run again after it."""
        ...

    def list_found_panes(
        self, caller: Caller, *, active_only: bool, container: str | None
    ) -> Result: ...

    def register_agent(
        self, caller: Caller, key: Mapping[str, Any], given: Mapping[str, Any]
    ) -> Result:
        """Section 8.3, without a log.

        :param key: the six parts of the pane's key, by name.
        :param given: the optional parameters that the client named, and no others.
        """
        ...

    def begin_registration(
        self,
        caller: Caller,
        change_id: str,
        key: Mapping[str, Any],
        given: Mapping[str, Any],
        log_path: str | None,
    ) -> bool:
        """Order a registration with its log; ``False`` where its turn has not come.

        :param change_id: names the request, which may be run again.
        :param log_path: ``None`` for the usual place.
        """
        ...

    def registration_outcome(self, change_id: str) -> Result | None:
        """The result of section 8.3, or ``None`` while it is under way; raises where it failed."""
        ...

    def set_role(self, caller: Caller, agent_id: str, role: str, *, confirm: bool) -> Result: ...

    def set_label(self, caller: Caller, agent_id: str, label: str) -> Result: ...

    def update_agent(self, caller: Caller, agent_id: str, changes: Mapping[str, str]) -> bool:
        """See :meth:`agenttower.services.agent_settings.AgentSettings.update`."""
        ...

    @property
    def adoption(self) -> AdoptionServices: ...

    def set_capability(self, caller: Caller, agent_id: str, capability: str) -> Result: ...
