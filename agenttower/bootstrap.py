"""The one place that wires things: what ``serve`` and the worker are made of."""

from __future__ import annotations

import hashlib
import importlib
import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
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
from agenttower.services.agent_settings import AgentSettings
from agenttower.services.attention import AttentionService
from agenttower.services.catalog import Catalog
from agenttower.services.containers import ContainerService
from agenttower.services.delivery import Delivery
from agenttower.services.discovery import PaneDiscovery
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
from agenttower.services.prompts import PromptQueue
from agenttower.services.registration import Registration
from agenttower.services.switch import RoutingSwitch
from agenttower.services.tower import Tower
from agenttower.settings import Settings, load_settings
from agenttower.store.containers import active_ids
from agenttower.store.database import Store, Transaction, open_sqlite
from agenttower.store.migrate import migrate

log = logging.getLogger(__name__)

QUEUE = "workers.queue:open_queue"
"""Who hangs the doorbells: found by path, because ``agenttower`` never imports ``workers``."""

STAGES = (*pipeline.STAGES, *removal.STAGES, *restart.STAGES)
"""Every stage there is: the names of the Huey tasks that run steps."""

Role = Literal["serve", "worker"]


@dataclass(frozen=True)
class Core:
    """What both processes have: the database, the queue, the benches and the engine."""

    settings: Settings
    store: Store
    doorbell: Doorbell
    queue: StepQueue
    engine: Engine
    benches: Benches

    def wake_readers(self) -> None:
        """Tell everybody who shows or relays rows that they have changed."""
        self.doorbell.ring("events")

    def wake_delivery(self) -> None:
        """Tell the worker that a prompt may be delivered."""
        self.doorbell.ring("prompts")


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
    return open_queue(
        store, clock.now, doorbell, (*pipeline.STAGES, *removal.STAGES, *restart.STAGES), run_step
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
    prompts = prompt_changes(core)

    def agent_removed(transaction: Transaction, agent_id: str) -> None:
        prompts.target_removed(transaction, agent_id, "the agent's pane was removed")

    return Parts(
        core.store,
        core.benches,
        clock.now,
        core.wake_readers,
        restarts.consider,
        agent_removed,
    )


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
    return PromptQueue(core.store, switch, clock.now, prompt_changes(core))


def delivery(core: Core, worker_id: str) -> Delivery:
    """What delivers this core's prompts, in the worker."""
    return Delivery(
        core.store,
        core.benches,
        prompt_changes(core),
        routing_switch(core),
        agent_screen,
        worker_id,
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
    }


def tower(core: Core) -> Tower:
    """The services of the front end."""
    paths = core.settings.paths
    catalog = Catalog(paths.templates_dir, paths.profiles_dir)
    catalog.problems()  # read now, so that the log tells of broken files at start
    switch = routing_switch(core)
    return Tower(
        store=core.store,
        paths=paths,
        clock=clock.now,
        catalog=catalog,
        containers=container_service(core),
        creation=LayoutCreation(
            core.store, core.engine, core.benches, catalog, paths, clock.now, core.wake_readers
        ),
        recreation=recreation(core, catalog),
        removal=Removal(core.store, core.engine, clock.now),
        prompts=Prompting(core.store, prompt_queue(core, switch)),
        routing=switch,
        discovery=PaneDiscovery(core.store, core.benches, clock.now, core.wake_readers),
        registration=Registration(core.store, clock.now, core.wake_readers),
        agent_settings=AgentSettings(core.store, clock.now, core.wake_readers),
    )


def serve() -> int:
    """Run the front end until it is told to stop; returns the process's exit code.

    0 clean, 1 the state cannot be used as it is, 2 another front end runs.
    """
    from agenttower.rpc.methods import method_table
    from agenttower.rpc.serve import run_server
    from agenttower.rpc.server import Server

    logs.configure()
    with ExitStack() as stack:

        def prepare() -> Server:
            core = stack.enter_context(open_core(settings, "serve"))
            recover(core.store, reconciler(core), clock.now())
            services = tower(core)
            server = Server(
                method_table(services),
                services.resolve_container,
                on_thread_exit=core.store.close_thread,
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
