"""The one place that wires things: what ``serve`` and the worker are made of."""

from __future__ import annotations

import hashlib
import importlib
import logging
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Literal

from agenttower import clock, logs
from agenttower.bench.interface import BenchProvider
from agenttower.bench.registry import Benches
from agenttower.domain import agent_screen
from agenttower.engine.doorbell import SAFETY_NET_S, Doorbell
from agenttower.engine.engine import Engine
from agenttower.engine.handler import StepHandler, StepQueue
from agenttower.engine.presence import boot_id
from agenttower.errors import AgentTowerError, AlreadyRunning
from agenttower.notify import READY, STOPPING, notify
from agenttower.services import agent_log_steps, agent_logs
from agenttower.services.agent_events import AgentEventService
from agenttower.services.agent_log_steps import LogParts, Registrar
from agenttower.services.agent_logs import AgentLogs
from agenttower.services.agent_settings import AgentSettings
from agenttower.services.attention import AttentionService
from agenttower.services.catalog import Catalog
from agenttower.services.containers import ContainerService
from agenttower.services.delivery import Delivery
from agenttower.services.discovery import PaneDiscovery
from agenttower.services.log_fetch import LogFetch
from agenttower.services.log_place import LogPlaces
from agenttower.services.log_reader import LogReader
from agenttower.services.log_reading import LogReading
from agenttower.services.log_source import LogSource
from agenttower.services.log_watch import LogWatch
from agenttower.services.logged_registration import RegistrationWriter
from agenttower.services.managed import pipeline, removal, restart
from agenttower.services.managed.create import LayoutCreation
from agenttower.services.managed.pane_stage import Parts
from agenttower.services.managed.reconcile import Reconcile
from agenttower.services.managed.recovery import recover
from agenttower.services.managed.recreation import Recreation
from agenttower.services.managed.removal import Removal
from agenttower.services.managed.restart import Restarts
from agenttower.services.prompt_changes import PromptChanges, Wakers
from agenttower.services.prompting import Prompting
from agenttower.services.prompts import NewPrompt, PromptQueue
from agenttower.services.registration import Registration
from agenttower.services.routes import RouteService
from agenttower.services.routing import RoutedPrompt, Routing
from agenttower.services.routing_tally import RoutingTally
from agenttower.services.rule_files import RuleBook
from agenttower.services.status import StatusService
from agenttower.services.switch import RoutingSwitch
from agenttower.services.tower import Tower
from agenttower.services.turns import Turns
from agenttower.settings import Settings, load_settings
from agenttower.store.containers import active_ids
from agenttower.store.database import Store, Transaction, open_sqlite
from agenttower.store.migrate import migrate

log = logging.getLogger(__name__)

QUEUE = "workers.queue:open_queue"
"""Who hangs the doorbells: found by path, because ``agenttower`` never imports ``workers``."""

STAGES = (*pipeline.STAGES, *removal.STAGES, *restart.STAGES, *agent_logs.STAGES)
"""Every stage there is: the names of the Huey tasks that run steps."""

Role = Literal["serve", "worker"]

SWITCH_S = 0.001
"""How long a handler may keep the interpreter from the thread that owns the sockets: with Python's
own 5 ms, a short question beside busy handlers takes half as long again (docs/performance.md)."""


@dataclass(frozen=True)
class Core:
    """What both processes have: the database, the queue, the benches and the engine."""

    settings: Settings
    store: Store
    doorbell: Doorbell
    queue: StepQueue
    engine: Engine
    benches: Benches
    turns: Turns = field(default_factory=Turns)
    """At the pipes of panes."""

    def wake_readers(self) -> None:
        """Tell everybody who shows or relays rows that they have changed."""
        self.doorbell.ring("events")

    def wake_delivery(self) -> None:
        """Tell the worker that a prompt may be delivered."""
        self.doorbell.ring("prompts")

    def wake_logs(self) -> None:
        """Tell the reader of logs that one was attached or detached."""
        self.doorbell.ring("logs")


@contextmanager
def open_core(
    settings: Settings, role: Role, run_step: Callable[[int], None] | None = None
) -> Iterator[Core]:
    """Open everything, the schema brought up to date; closes it all again.

    :param run_step: what runs a step in this process; ``None`` where none is ever run.
    """
    paths = settings.paths
    with ExitStack() as stack:
        store = open_sqlite(paths.database)
        stack.callback(store.close_thread)
        for name in migrate(store):
            log.info("migration applied: %s", name, extra={"action": "migrated"})
        doorbell = Doorbell(paths.bells_dir)
        stack.callback(doorbell.close)
        queue = _open_queue(store, doorbell, run_step)
        benches = Benches(
            _providers(settings),
            role=role,
            instance=instance_id(settings),
            lock_dir=paths.bench_locks_dir,
        )
        stack.callback(benches.close)
        engine = Engine(store, queue, clock.now)
        # Whoever was here before may have died between a commit and its ring.
        doorbell.ring("queue")
        doorbell.ring("events")
        yield Core(settings, store, doorbell, queue, engine, benches)


def _open_queue(
    store: Store, doorbell: Doorbell, run_step: Callable[[int], None] | None
) -> StepQueue:
    module, _, name = QUEUE.partition(":")
    open_queue: Callable[..., StepQueue] = getattr(importlib.import_module(module), name)
    return open_queue(store, clock.now, doorbell, STAGES, run_step)


def log_places(core: Core) -> LogPlaces:
    """Where logs go, by the settings of this core."""
    config = core.settings.config
    return LogPlaces(core.settings.paths, fallback=config.logs.fallback == "exec")


def log_fetch(core: Core) -> LogFetch:
    """What copies logs that no mount shows."""
    return LogFetch(core.store, core.settings.paths, core.turns)


def log_watch(core: Core) -> LogWatch:
    """What looks after the logs of adopted agents."""
    return LogWatch(log_parts(core))


def log_parts(core: Core, registrar: Registrar | None = None) -> LogParts:
    """What attaching and detaching logs works with.

    :param registrar: writes agents that are registered with their log.
    """

    def wake(transaction: Transaction) -> None:
        transaction.afterwards("readers", core.wake_readers)
        transaction.afterwards("logs", core.wake_logs)

    return LogParts(
        store=core.store,
        benches=core.benches,
        places=log_places(core),
        fetch=log_fetch(core),
        turns=core.turns,
        clock=clock.now,
        wake=wake,
        registrar=registrar,
    )


def instance_id(settings: Settings) -> str:
    """What tells this installation from others that share a container: its state directory."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{boot_id()}:{settings.paths.state_dir}").hex


def _providers(settings: Settings) -> list[BenchProvider]:
    from agenttower.bench.docker_provider import DockerProvider

    providers: list[BenchProvider] = [DockerProvider()]
    if settings.config.local.enabled:
        from agenttower.bench.local_provider import LocalProvider

        socket = settings.paths.local_tmux_socket
        bench_id = hashlib.sha256(f"local:{socket}".encode()).hexdigest()
        starts_tmux = settings.config.local.start_tmux
        providers.append(LocalProvider(socket, bench_id, starts_tmux=starts_tmux))
    return providers


def container_service(core: Core) -> ContainerService:
    """Container discovery on this core."""
    return ContainerService(
        core.store, core.benches, core.settings.paths, clock.now, core.wake_readers
    )


def attention_service(core: Core) -> AttentionService:
    """What looks whether panes wait for a person."""
    return AttentionService(core.store, core.benches, clock.now, core.wake_readers)


def reconciler(core: Core) -> Reconcile:
    """What compares tmux with the rows of this core."""
    return Reconcile(pane_parts(core))


def pane_parts(core: Core) -> Parts:
    """What the stages of a pane's life work with."""
    restarts = Restarts(core.store, core.engine, clock.now)
    routes, prompts = route_service(core), prompt_changes(core)

    def agent_removed(transaction: Transaction, agent_id: str) -> None:
        routes.agent_removed(transaction, agent_id)
        prompts.target_removed(transaction, agent_id, "the agent's pane was removed")

    return Parts(
        core.store,
        core.benches,
        clock.now,
        log_places(core),
        core.turns,
        core.wake_readers,
        restarts.consider,
        on_agent_removed=agent_removed,
        wake_logs=core.wake_logs,
    )


def routing(core: Core, tally: RoutingTally) -> Routing:
    """What turns events into prompts, in the worker."""
    queue = prompt_queue(core, routing_switch(core))

    def enqueue(transaction: Transaction, routed: RoutedPrompt) -> None:
        queue.enqueue(
            transaction,
            NewPrompt(
                sender=routed.master.agent_id,
                target=routed.target.agent_id,
                body=routed.text.encode(),
                route_id=routed.route_id,
                event_id=routed.event_id,
            ),
        )

    rules = core.settings.config.routing
    return Routing(core.store, enqueue, rules, clock.now, core.wake_readers, tally)


def route_service(core: Core) -> RouteService:
    """The service behind ``routes.*``."""
    return RouteService(core.store, core.settings.config.routing, clock.now, core.wake_readers)


def status_service(core: Core, catalog: Catalog) -> StatusService:
    """The service behind ``status``."""
    return StatusService(
        core.store,
        core.settings.paths,
        routing_switch(core),
        core.settings.config.routing,
        clock.now,
        lambda: [str(problem) for problem in catalog.problems()],
    )


def registration(core: Core) -> Registration:
    """What writes agents that are registered by themselves, in both processes."""
    return Registration(core.store, clock.now, core.wake_readers)


def recreation(core: Core, catalog: Catalog) -> Recreation:
    """The service behind M7, which restarts use too."""
    paths = core.settings.paths
    return Recreation(
        core.store, core.engine, core.benches, catalog, paths, clock.now, core.wake_readers
    )


def prompt_changes(core: Core) -> PromptChanges:
    """What changes the states of this core's prompts."""
    return PromptChanges(core.store, clock.now, Wakers(core.wake_delivery, core.wake_readers))


def routing_switch(core: Core) -> RoutingSwitch:
    """The kill switch of this core."""

    def wake() -> None:
        core.wake_delivery()
        core.wake_readers()

    return RoutingSwitch(core.store, clock.now, wake)


def prompt_queue(core: Core, switch: RoutingSwitch) -> PromptQueue:
    """The prompt queue of this core: the door for prompts from agents, operators and routes."""
    return PromptQueue(
        core.store,
        switch,
        clock.now,
        prompt_changes(core),
        routes_prompt_masters=core.settings.config.routing.prompt_masters,
    )


def log_reader(core: Core, source: LogSource) -> LogReader:
    """What turns the logs of one kind into events."""
    settings = core.settings
    return LogReader(
        core.store,
        source,
        RuleBook(settings.paths.rules_dir),
        settings.config.events,
        clock.now,
        core.wake_readers,
    )


def delivery(core: Core, worker_id: str) -> Delivery:
    """What delivers this core's prompts, in the worker."""
    return Delivery(
        core.store,
        core.benches,
        prompt_changes(core),
        routing_switch(core),
        agent_screen,
        worker_id,
        routes_prompt_masters=core.settings.config.routing.prompt_masters,
    )


def step_handlers(core: Core) -> dict[str, StepHandler]:
    """Who performs which stage, in the process that runs steps."""
    parts = pane_parts(core)
    paths = core.settings.paths
    catalog = Catalog(paths.templates_dir, paths.profiles_dir)
    return {
        **pipeline.handlers(parts),
        **removal.handlers(parts),
        **restart.handlers(parts, recreation(core, catalog)),
        **agent_log_steps.handlers(log_parts(core, RegistrationWriter(registration(core)))),
    }


def tower(core: Core) -> Tower:
    """The services of the front end."""
    paths = core.settings.paths
    catalog = Catalog(paths.templates_dir, paths.profiles_dir)
    catalog.problems()  # read now, so that the log tells of broken files at start
    switch = routing_switch(core)
    discovery = PaneDiscovery(core.store, core.benches, clock.now, core.wake_readers)
    return Tower(
        store=core.store,
        containers=container_service(core),
        creation=LayoutCreation(
            core.store, core.engine, core.benches, catalog, paths, clock.now, core.wake_readers
        ),
        recreation=recreation(core, catalog),
        removal=Removal(core.store, core.engine, clock.now),
        routes=route_service(core),
        status=status_service(core, catalog),
        discovery=discovery,
        registration=registration(core),
        agent_settings=AgentSettings(core.store, clock.now, core.wake_readers),
        agent_events=AgentEventService(
            core.settings.config.events, RuleBook(paths.rules_dir), clock.now, core.wake_readers
        ),
        prompts=Prompting(core.store, prompt_queue(core, switch)),
        routing=switch,
        logs=AgentLogs(
            core.store, core.engine, log_places(core), clock.now, rescan=discovery.refresh
        ),
        reading=LogReading(paths),
    )


def serve() -> int:
    """Run the front end until it is told to stop; returns the process's exit code.

    0 clean, 1 the state cannot be used as it is, 2 another front end runs.
    """
    from agenttower.rpc.methods import method_table
    from agenttower.rpc.serve import run_server
    from agenttower.rpc.server import Server

    logs.configure()
    sys.setswitchinterval(SWITCH_S)
    with ExitStack() as stack:

        def prepare() -> Server:
            core = stack.enter_context(open_core(settings, "serve"))
            recover(core.store, reconciler(core), clock.now())
            services = tower(core)
            server = Server(
                method_table(services),
                services.resolve_container,
                on_thread_exit=core.store.close_thread,
                host_rule=settings.config.peers.host_rule,
            )
            stack.enter_context(_waking(core, server.wake))
            stack.callback(notify, STOPPING)
            return server

        try:
            settings = load_settings()
            run_server(
                settings.paths, prepare, on_ready=lambda: notify(READY), on_shutdown=stack.close
            )
        except AlreadyRunning as error:
            log.error("%s", error.message, extra={"action": "already_running"})
            return 2
        except AgentTowerError as error:
            log.error("%s", error.message, extra={"action": "refused"})
            return 1
    return 0


@contextmanager
def _waking(core: Core, wake: Callable[[], None]) -> Iterator[None]:
    """Wake the requests that wait, whenever rows that they show have changed.

    The handles on benches that have gone are closed by the way: only the worker hears the engine.
    """
    listener = core.doorbell.listen("events")
    stopped = threading.Event()

    def listen() -> None:
        while not stopped.is_set():
            rung = listener.wait(SAFETY_NET_S)
            wake()  # also unrung: who committed may have died before he could ring
            if rung:
                core.benches.prune(active_ids())
        core.store.close_thread()

    thread = threading.Thread(target=listen, name="bell")
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        listener.wake()
        thread.join()
        listener.close()
