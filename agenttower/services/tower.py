"""All services of the front end behind one object, which is what ``rpc`` talks to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agenttower.services.adoption import Adoption
from agenttower.services.agent_events import AgentEventService
from agenttower.services.agent_logs import AgentLogs
from agenttower.services.agent_settings import AgentSettings
from agenttower.services.agents import AgentService
from agenttower.services.app_lists import AppLists
from agenttower.services.app_rows import AppRows
from agenttower.services.caller import Caller
from agenttower.services.containers import ContainerService
from agenttower.services.discovery import PaneDiscovery
from agenttower.services.log_reading import LogReading
from agenttower.services.logged_registration import LoggedRegistration
from agenttower.services.managed.create import LayoutCreation, Request
from agenttower.services.managed.recreation import Recreate, Recreation
from agenttower.services.managed.removal import Removal
from agenttower.services.managed.views import ManagedViews
from agenttower.services.overview import Overview
from agenttower.services.prompting import Prompting
from agenttower.services.registration import Registration
from agenttower.services.routes import RouteService
from agenttower.services.status import StatusService
from agenttower.services.switch import RoutingSwitch
from agenttower.store.database import Store
from agenttower.store.panes import PaneKey


class Tower:
    """Implements ``rpc.services.Services``."""

    def __init__(
        self,
        *,
        store: Store,
        containers: ContainerService,
        creation: LayoutCreation,
        recreation: Recreation,
        removal: Removal,
        routes: RouteService,
        status: StatusService,
        discovery: PaneDiscovery,
        registration: Registration,
        agent_settings: AgentSettings,
        agent_events: AgentEventService,
        prompts: Prompting,
        routing: RoutingSwitch,
        logs: AgentLogs,
        reading: LogReading,
        overview: Overview,
        app_lists: AppLists,
    ) -> None:
        self._containers = containers
        self._agents = AgentService()
        self._creation = creation
        self._recreation = recreation
        self._registration = registration
        self._logged = LoggedRegistration(registration, logs)
        self.registration_outcome = self._logged.outcome
        self.adoption = Adoption(registration, self._logged, logs)
        self._views = ManagedViews(store)
        self.agent_events = agent_events
        self.app_rows = AppRows()
        self.app_lists = app_lists

        self.routes = routes
        self.status = status.status
        self.prompts = prompts
        self.routing = routing
        self.logs = logs
        self.log_reading = reading
        self.readiness = overview.readiness
        self.dashboard = overview.dashboard
        self.scans = overview.scans
        self.warm_up = overview.warm_up
        self.close = overview.close
        self.resolve_container = containers.resolve
        self.list_layouts = self._views.list_layouts
        self.layout_detail = self._views.layout_detail
        self.layout_revision = self._views.layout_revision
        self.list_panes = self._views.list_panes
        self.pane_detail = self._views.pane_detail
        self.list_events = self._views.list_events
        self.begin_pane_removal = removal.begin_pane
        self.pane_removal = removal.pane_outcome
        self.begin_layout_removal = removal.begin_layout
        self.layout_removal = removal.layout_outcome
        self.scan_panes = discovery.scan
        self.list_found_panes = discovery.listing
        self.set_role = agent_settings.set_role
        self.set_label = agent_settings.set_label
        self.set_capability = agent_settings.set_capability
        self.update_agent = agent_settings.update

    def scan_containers(self) -> dict[str, Any]:
        return self._containers.scan()

    def list_containers(self, active_only: bool, scope: str | None) -> dict[str, Any]:
        return self._containers.listing(active_only=active_only, scope=scope)

    def list_agents(
        self,
        roles: list[str] | None,
        container_id: str | None,
        active_only: bool,
        parent_agent_id: str | None,
        scope: str | None,
    ) -> dict[str, Any]:
        return self._agents.listing(
            roles=roles,
            container_id=container_id,
            active_only=active_only,
            parent_agent_id=parent_agent_id,
            scope=scope,
        )

    def register_agent(
        self, caller: Caller, key: Mapping[str, Any], given: Mapping[str, Any]
    ) -> dict[str, Any]:
        wanted = self._registration.wanted(caller, PaneKey(**key), given)
        return self._registration.register_agent(wanted)

    def begin_registration(
        self,
        caller: Caller,
        change_id: str,
        key: Mapping[str, Any],
        given: Mapping[str, Any],
        log_path: str | None,
    ) -> bool:
        wanted = self._registration.wanted(caller, PaneKey(**key), given)
        return self._logged.begin(change_id, wanted, log_path)

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
    ) -> dict[str, Any]:
        return self._creation.create(
            caller,
            Request(
                container_ref=container_id.removeprefix("/"),
                template_name=template_name,
                session=tmux_session_name,
                overrides=launch_command_overrides,
                idempotency_key=idempotency_key,
                label_prefix=label_prefix,
            ),
        )

    def recreate_pane(
        self,
        caller: Caller,
        *,
        predecessor_pane_id: str,
        launch_command_override: str | None,
        idempotency_key: str | None,
    ) -> dict[str, Any]:
        return self._recreation.recreate(
            caller, Recreate(predecessor_pane_id, launch_command_override, idempotency_key)
        )
