"""What the methods need of the services. They return JSON-ready results and raise our errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from agenttower.rpc.event_services import EventServices
from agenttower.rpc.services_agents import AgentServices
from agenttower.rpc.services_app import AppListServices, AppRowServices
from agenttower.rpc.services_logs import LogChanges, LogReader
from agenttower.rpc.services_overview import OverviewServices
from agenttower.rpc.services_prompts import PromptServices, SwitchServices
from agenttower.rpc.services_routes import Routes
from agenttower.services.caller import Caller

Document = Mapping[str, object]
"""A whole result, ready for JSON."""


class Services(AgentServices, OverviewServices, Protocol):
    """One object for all of them, wired in ``agenttower.bootstrap``.

    ``scope`` is the only container whose rows may be shown, or ``None`` for all.
    """

    @property
    def routes(self) -> Routes: ...

    @property
    def agent_events(self) -> EventServices:
        """What ``events.*`` needs."""
        ...

    @property
    def app_lists(self) -> AppListServices: ...

    @property
    def app_rows(self) -> AppRowServices:
        """Single rows as ``app.*`` shows them."""
        ...

    @property
    def prompts(self) -> PromptServices: ...

    @property
    def routing(self) -> SwitchServices: ...

    def status(self, *, whole: bool) -> Document:
        """The result of ``status`` (legacy 5.2); ``schema_version`` must be in it.

        :param whole: also what only the host may see, such as problems of files.
        """
        ...

    @property
    def logs(self) -> LogChanges: ...

    @property
    def log_reading(self) -> LogReader: ...

    def scan_containers(self) -> Document: ...

    def list_containers(self, active_only: bool, scope: str | None) -> Document: ...

    def list_agents(
        self,
        roles: list[str] | None,
        container_id: str | None,
        active_only: bool,
        parent_agent_id: str | None,
        scope: str | None,
    ) -> Document: ...

    def resolve_container(self, ref: str) -> str | None:
        """Full id of the registered container that ``ref`` (id, short id or name) names."""
        ...

    def create_layout(
        self,
        caller: Caller,
        *,
        container_id: str,
        template_name: str,
        tmux_session_name: str,
        launch_command_overrides: dict[str, str],
        idempotency_key: str | None,
        label_prefix: str,
    ) -> Document: ...

    def list_layouts(
        self,
        caller: Caller,
        *,
        container_id: str | None,
        states: tuple[str, ...],
        limit: int,
        after: str | None,
    ) -> Document: ...

    def layout_detail(
        self, caller: Caller, layout_id: str, *, include_terminal_panes: bool
    ) -> Document:
        """M3's result with, additive, ``revision``: an integer that every change raises."""
        ...

    def layout_revision(self, layout_id: str) -> int | None:
        """The layout's revision alone; cheap. ``None`` where there is no such layout."""
        ...

    def list_panes(
        self,
        caller: Caller,
        *,
        container_id: str | None,
        layout_id: str | None,
        states: tuple[str, ...],
        limit: int,
        after: str | None,
    ) -> Document: ...

    def pane_detail(
        self, caller: Caller, pane_id: str, *, include_predecessor_chain: bool
    ) -> Document: ...

    def begin_pane_removal(self, caller: Caller, pane_id: str) -> None:
        """Order M6, unless it is under way or done."""
        ...

    def pane_removal(self, pane_id: str) -> Document | None:
        """M6's result, or ``None`` while the removal is under way; raises where it failed."""
        ...

    def begin_layout_removal(self, caller: Caller, layout_id: str) -> None:
        """Order M9."""
        ...

    def layout_removal(self, layout_id: str) -> Document | None:
        """M9's result, or ``None`` while the removal is under way; raises where it failed."""
        ...

    def recreate_pane(
        self,
        caller: Caller,
        *,
        predecessor_pane_id: str,
        launch_command_override: str | None,
        idempotency_key: str | None,
    ) -> Document: ...

    def list_events(
        self,
        caller: Caller,
        *,
        container_id: str | None,
        layout_id: str | None,
        pane_id: str | None,
        after: int,
        limit: int,
    ) -> Document:
        """``{"events": [...], "next": <id of the last event, or `after` where there is none>}``."""
        ...
