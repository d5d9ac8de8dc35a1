"""The worker process: takes steps off the queue and runs them, beside its standing threads."""

from __future__ import annotations

import logging
import sys
import threading
import uuid
from contextlib import ExitStack

from huey import crontab

from agenttower import bootstrap, clock, instance_lock, logs
from agenttower.bootstrap import Core
from agenttower.engine import presence
from agenttower.engine.bulkhead import Bulkhead
from agenttower.engine.outbox import Relay
from agenttower.errors import AgentTowerError, AlreadyRunning
from agenttower.private import private_directory
from agenttower.services.log_source import HostLogs
from agenttower.services.managed.sweep import MarkerSweep
from agenttower.services.reader_status import ReaderStatus
from agenttower.services.routing_tally import RoutingTally
from agenttower.settings import Settings, load_settings
from workers.attention import AttentionPump
from workers.consumer import StepConsumer, stop_on_signals
from workers.delivery import DeliveryPump
from workers.health import HealthPump, OrphanLook
from workers.log_fetch import LogFetchPump
from workers.log_reader import LogReaderPump
from workers.pumps import BenchWatch, Heartbeat, RelayPump, running
from workers.queue import StepHuey
from workers.routing import RoutingHeartbeat, RoutingPump
from workers.watchdog import Watchdog

log = logging.getLogger(__name__)

ENGINE_LOOK_S = 2.0
"""How often logs are read through the engine; nobody tells when they grow."""


class StepRunner:
    """Runs the step that a message names, within the limits of its lane."""

    def __init__(self, settings: Settings, worker_id: str) -> None:
        self._worker_id = worker_id
        self._bulkhead = Bulkhead(settings.config.worker.per_container)
        self.watchdog = Watchdog()
        self.core: Core | None = None

    def __call__(self, step_id: int) -> None:
        assert self.core is not None
        engine = self.core.engine
        lane = engine.lane_of(step_id)

        def run() -> None:
            with self.watchdog.step(step_id):
                engine.run(step_id, self._worker_id)

        if lane is not None:
            self._bulkhead.run(lane, step_id, run)

    def stop(self) -> None:
        """Start nothing that is parked."""
        self._bulkhead.stop()


def main() -> int:
    """Run a worker until SIGTERM or SIGINT; returns the process's exit code."""
    logs.configure()
    stopping = stop_on_signals()
    try:
        settings = load_settings()
        private_directory(settings.paths.state_dir)
        private_directory(settings.paths.logs_dir, passable=True)
        with instance_lock.holding(settings.paths.worker_lock_file, "worker"):
            _work(settings, stopping)
    except AlreadyRunning as error:
        log.error("%s", error.message, extra={"action": "already_running"})
        return 2
    except AgentTowerError as error:
        log.error("%s", error.message, extra={"action": "refused"})
        return 1
    return 0


def _work(settings: Settings, stopping: threading.Event) -> None:
    worker_id = str(uuid.uuid4())
    run_step = StepRunner(settings, worker_id)
    with ExitStack() as stack:
        core = stack.enter_context(bootstrap.open_core(settings, "worker", run_step))
        run_step.core = core
        core.engine.register(bootstrap.step_handlers(core))
        presence.announce(core.store, worker_id, presence.this_process(), clock.now())
        stack.callback(lambda: presence.withdraw(core.store, worker_id, clock.now()))
        _start_pumps(stack, core, worker_id, run_step.watchdog)
        assert isinstance(core.queue, StepHuey)
        core.queue.storage.on_look = run_step.watchdog.looked
        _add_periodic_tasks(core, core.queue)
        consumer = StepConsumer(core.queue, settings.config.worker.threads, stopping)
        stack.callback(run_step.stop)
        rung = core.engine.resume()
        log.info("worker ready; resumed %d steps", rung, extra={"action": "worker_ready"})
        consumer.run()
        log.info("worker stopped", extra={"action": "worker_stopped"})


def _start_pumps(stack: ExitStack, core: Core, worker_id: str, watchdog: Watchdog) -> None:
    heartbeat = Heartbeat(core.store, worker_id, watchdog.heartbeat_written)
    stack.enter_context(running("heartbeat", heartbeat.run, heartbeat.stop))
    relay = Relay(core.store, core.settings.paths.events_file)
    stack.callback(relay.close)
    pump = RelayPump(core.store, core.doorbell, relay)
    stack.callback(pump.close)
    stack.enter_context(running("relay", pump.run, pump.stop))
    health = HealthPump(
        core.store,
        core.benches,
        core.doorbell,
        bootstrap.reconciler(core),
        bootstrap.log_watch(core),
    )
    stack.callback(health.close)
    stack.enter_context(running("health", health.run, health.stop))
    orphans = OrphanLook(core.store, bootstrap.log_parts(core))
    stack.enter_context(running("orphans", orphans.run, orphans.stop))
    _start_log_readers(stack, core)
    delivery = DeliveryPump(core.store, core.doorbell, bootstrap.delivery(core, worker_id))
    stack.callback(delivery.close)
    stack.enter_context(running("delivery", delivery.run, delivery.stop))
    _start_routing(stack, core)
    attention = AttentionPump(core.store, core.doorbell, bootstrap.attention_service(core))
    stack.callback(attention.close)
    stack.enter_context(running("attention", attention.run, attention.stop))
    if core.settings.config.logs.fallback == "exec":
        fetching = LogFetchPump(core.store, core.benches, core.doorbell, bootstrap.log_fetch(core))
        stack.callback(fetching.close)
        stack.enter_context(running("log fetch", fetching.run, fetching.stop))
    containers = bootstrap.container_service(core)
    for provider in core.benches.providers:
        watch = BenchWatch(core.store, provider, containers)
        stack.enter_context(running(f"watch {provider.name}", watch.run, watch.stop))


def _start_routing(stack: ExitStack, core: Core) -> None:
    """Behind delivery and the readers of logs, so that it is stopped before them."""
    rules = core.settings.config.routing
    tally = RoutingTally(clock.now())
    heartbeat = RoutingHeartbeat(
        core.store, tally, rules.heartbeat_interval_seconds, clock.now, core.wake_readers
    )
    stack.enter_context(running("routing heartbeat", heartbeat.run, heartbeat.stop))
    routing = bootstrap.routing(core, tally)
    pump = RoutingPump(core.store, core.doorbell, routing, clock.now, rules.cycle_interval_seconds)
    stack.callback(pump.close)
    stack.enter_context(running("routing", pump.run, pump.stop))


def _start_log_readers(stack: ExitStack, core: Core) -> None:
    cycle_s = core.settings.config.events.reader_cycle_wallclock_cap_seconds
    for name, via in bootstrap.log_readers(core.settings).items():
        reader = bootstrap.log_reader(core, HostLogs(core.settings.paths.logs_dir, via))
        status = ReaderStatus(core.store, name, clock.now)
        pump = LogReaderPump(core.store, core.doorbell, reader, status, cycle_s)
        stack.callback(pump.close)
        stack.enter_context(running(name, pump.run, pump.stop))


def _add_periodic_tasks(core: Core, queue: StepHuey) -> None:
    """Every minute, and at start: rescue, then the marker sweep (FR-022)."""
    sweep = MarkerSweep(core.store, core.engine, core.benches, clock.now, core.wake_readers)

    def pending_marker_sweep() -> None:
        core.engine.rescue()
        sweep.run()

    queue.periodic_task(crontab(minute="*"), name="pending_marker_sweep")(pending_marker_sweep)
    queue.on_shutdown(name="close_connection")(core.store.close_thread)


if __name__ == "__main__":
    sys.exit(main())
