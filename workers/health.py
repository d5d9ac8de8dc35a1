"""Health, all the time: a thread for each container that has panes of ours.

It waits for tmux to tell that something ended, and then compares tmux with the rows. Behind that
stands a slow look by itself. What the engine tells (a container stopped or started) wakes it too.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from agenttower.bench.interface import ExitWatcher
from agenttower.bench.registry import Benches
from agenttower.clock import SECOND, Micros, now
from agenttower.engine.doorbell import Doorbell
from agenttower.errors import AgentTowerError, BenchError
from agenttower.services.agent_log_steps import LogParts
from agenttower.services.log_orphans import tell_of_orphans
from agenttower.services.log_watch import LogWatch
from agenttower.services.managed.reconcile import Reconcile
from agenttower.store import agent_logs, layouts
from agenttower.store.database import Store

log = logging.getLogger(__name__)

SLOW_LOOK_S = 30.0
"""How long a container is trusted to tell by itself."""
LOOK_TIMEOUT_S = 10.0
LOGS_S = 20.0
"""Logs of adopted agents cost a process each to look at, so not at every exit."""
LATE_EFFECTS: Micros = 600 * SECOND
"""A call that timed out may still take effect: containers of failed panes are looked at so long."""
AGAIN_S = (0.2, 1.0, 5.0)
"""After a bench could not be reached, before the next look: longer each time, then the last."""


class ContainerHealth:
    """Watches one container until stopped."""

    def __init__(
        self,
        container_id: str,
        benches: Benches,
        reconcile: Reconcile,
        logs: LogWatch,
        store: Store,
    ) -> None:
        self._container_id = container_id
        self._benches = benches
        self._reconcile = reconcile
        self._logs = logs
        self._logs_due = 0.0
        self._store = store
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._watcher: ExitWatcher | None = None
        self._thread = threading.Thread(target=self._run, name=f"health {container_id[:12]}")
        self._thread.start()

    def stop(self) -> None:
        """End the thread; :meth:`join` waits for it."""
        with self._lock:
            self._stopped.set()
            if self._watcher is not None:
                self._watcher.close()

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        failures = 0
        while not self._stopped.is_set():
            try:
                # In this order nothing can end unseen between a look and a wait.
                armed = self._arm()
                told = self._look() and armed and self._wait()
            except Exception:
                log.exception("health failed; trying again", extra={"action": "pump_error"})
                told = False
            failures = 0 if told else failures + 1
            if not told:
                self._stopped.wait(AGAIN_S[min(failures, len(AGAIN_S)) - 1])
        self._drop_watcher()
        self._store.close_thread()

    def _look(self) -> bool:
        deadline = time.monotonic() + LOOK_TIMEOUT_S
        judged = self._reconcile.container(self._container_id, deadline)
        if time.monotonic() < self._logs_due:
            return judged
        try:
            self._logs.container(self._container_id, deadline)
        except BenchError as error:
            log.info("logs not judged: %s", error.message, extra={"action": "log_watch_waits"})
            return False
        self._logs_due = time.monotonic() + LOGS_S
        return judged

    def _arm(self) -> bool:
        """Have tmux tell from now on; ``False`` where nobody is there to tell."""
        return self._watching(lambda watcher: watcher.arm(time.monotonic() + LOOK_TIMEOUT_S))

    def _wait(self) -> bool:
        """Wait to be told, or for the slow look; ``False`` where nobody is there to tell."""
        return self._watching(lambda watcher: watcher.wait(time.monotonic() + SLOW_LOOK_S))

    def _watching(self, work: Callable[[ExitWatcher], object]) -> bool:
        try:
            watcher = self._watcher or self._start_to_watch()
            if watcher is not None:
                work(watcher)
        except BenchError as error:
            log.debug("cannot be watched: %s", error.message, extra={"action": "health_waits"})
            self._drop_watcher()
            return False
        return True

    def _start_to_watch(self) -> ExitWatcher | None:
        watcher = self._benches.get(self._container_id).watch_exits()
        with self._lock:
            if not self._stopped.is_set():
                self._watcher = watcher
        return self._watcher

    def _drop_watcher(self) -> None:
        with self._lock:
            watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.close()


class OrphanLook:
    """Once, when the worker starts: logs that are written and that no row speaks of."""

    def __init__(self, store: Store, parts: LogParts) -> None:
        self._store = store
        self._parts = parts
        self._stopped = threading.Event()

    def run(self) -> None:
        for container_id in agent_logs.containers_with_agents():
            if self._stopped.is_set():
                break
            try:
                tell_of_orphans(self._parts, container_id, time.monotonic() + LOOK_TIMEOUT_S)
            except AgentTowerError as error:
                log.info(
                    "no orphans sought: %s", error.message, extra={"action": "log_watch_waits"}
                )
            except Exception:
                log.exception("orphans not sought", extra={"action": "pump_error"})
        self._store.close_thread()

    def stop(self) -> None:
        self._stopped.set()


class HealthPump:
    """Keeps a :class:`ContainerHealth` for every container that needs one."""

    def __init__(
        self,
        store: Store,
        benches: Benches,
        doorbell: Doorbell,
        reconcile: Reconcile,
        logs: LogWatch,
    ) -> None:
        self._store = store
        self._make: Callable[[str], ContainerHealth] = lambda container_id: ContainerHealth(
            container_id, benches, reconcile, logs, store
        )
        self._listener = doorbell.listen("events")
        self._stopped = threading.Event()
        self._watched: dict[str, ContainerHealth] = {}

    def run(self) -> None:
        while not self._stopped.is_set():
            try:
                watched = layouts.watched_containers(now() - LATE_EFFECTS)
                self._follow(watched | agent_logs.watched_containers())
            except Exception:
                log.exception("health failed; trying again", extra={"action": "pump_error"})
            self._listener.wait(SLOW_LOOK_S)
        self._follow(set())
        self._store.close_thread()

    def _follow(self, wanted: set[str]) -> None:
        for container_id in wanted - self._watched.keys():
            self._watched[container_id] = self._make(container_id)
        ending = [self._watched.pop(name) for name in self._watched.keys() - wanted]
        for health in ending:
            health.stop()
        for health in ending:
            health.join()

    def stop(self) -> None:
        self._stopped.set()
        self._listener.wake()

    def close(self) -> None:
        self._listener.close()
