"""All services of the front end behind one object, which is what ``rpc`` talks to."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agenttower import __version__
from agenttower.clock import Clock, Micros, to_rfc3339
from agenttower.engine import presence
from agenttower.paths import Paths
from agenttower.services.agent_settings import AgentSettings
from agenttower.services.agents import AgentService
from agenttower.services.attention import attention_status
from agenttower.services.caller import Caller
from agenttower.services.catalog import Catalog
from agenttower.services.containers import ContainerService
from agenttower.services.discovery import PaneDiscovery
from agenttower.services.managed.create import LayoutCreation, Request
from agenttower.services.managed.recreation import Recreate, Recreation
from agenttower.services.managed.removal import Removal
from agenttower.services.managed.views import ManagedViews
from agenttower.services.prompting import Prompting
from agenttower.services.registration import Registration
from agenttower.services.switch import RoutingSwitch
from agenttower.store import layouts, ledger
from agenttower.store.database import Store
from agenttower.store.migrate import schema_version
from agenttower.store.panes import PaneKey


@dataclass(frozen=True)
class Birth:
    """When this process started, by the wall clock and by one that never steps."""

    started_at: Micros
    monotonic: float

    @classmethod
    def now(cls, clock: Clock) -> Birth:
        return cls(clock(), time.monotonic())


class Tower:
    """Implements ``rpc.services.Services``."""

    def __init__(
        self,
        *,
        store: Store,
        paths: Paths,
        clock: Clock,
        catalog: Catalog,
        containers: ContainerService,
        creation: LayoutCreation,
        recreation: Recreation,
        removal: Removal,
        prompts: Prompting,
        routing: RoutingSwitch,
        discovery: PaneDiscovery,
        registration: Registration,
        agent_settings: AgentSettings,
    ) -> None:
        self._paths = paths
        self._clock = clock
        self._catalog = catalog
        self._containers = containers
        self._agents = AgentService()
        self._creation = creation
        self._recreation = recreation
        self._registration = registration
        self._views = ManagedViews(store)
        self._birth = Birth.now(clock)
        self._schema_version = schema_version(store)

        self.prompts = prompts
        self.routing = routing
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

    def status(self, *, whole: bool) -> dict[str, Any]:
        """The base of legacy section 5.2 and, additive, the worker.

        :param whole: also layouts, open steps and problems of files, which are the host's business.
        """
        now = self._clock()
        worker = presence.living_worker(now)
        base = {
            "alive": True,
            "pid": os.getpid(),
            "start_time_utc": to_rfc3339(self._birth.started_at),
            "uptime_seconds": max(0, int(time.monotonic() - self._birth.monotonic)),
            "socket_path": str(self._paths.socket),
            "state_path": str(self._paths.state_dir),
            "schema_version": self._schema_version,
            "daemon_version": __version__,
            "worker": {
                "alive": worker is not None,
                "pid": None if worker is None else worker.process.pid,
                "heartbeat_at": None if worker is None else to_rfc3339(worker.heartbeat_at),
            },
        }
        if not whole:
            return base
        return base | {
            "layouts": layouts.counts_by_state(),
            "attention": attention_status(),
            "steps": ledger.open_steps(),
            "file_problems": [str(problem) for problem in self._catalog.problems()],
        }

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
        self,
        caller: Caller,
        key: Mapping[str, Any],
        given: Mapping[str, Any],
        attach_log: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        wanted = self._registration.wanted(caller, PaneKey(**key), given)
        return self._registration.register_agent(wanted, attach_log)

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
