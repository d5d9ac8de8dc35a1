"""The worker's standing threads: heartbeat, event relay, and the engines' event streams.

Each is told when there is something to do, survives what it meets, and ends when asked.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from agenttower.bench.interface import BenchProvider
from agenttower.clock import Micros, now, to_rfc3339
from agenttower.engine import presence
from agenttower.engine.doorbell import SAFETY_NET_S, Doorbell
from agenttower.engine.outbox import Relay
from agenttower.errors import AgentTowerError
from agenttower.services.containers import ContainerService
from agenttower.store import subsystems
from agenttower.store.database import Store

log = logging.getLogger(__name__)

GATHER_S = 0.03
"""After a ring, so that one write to the disk takes what a burst of commits brings."""
AGAIN_S = 1.0
"""After an error, before the next try."""
HEED_TRIES = 60
"""By then the slow look and the next scan have told the same."""


@contextmanager
def running(name: str, work: Callable[[], None], stop: Callable[[], None]) -> Iterator[None]:
    """Run ``work`` in a thread of its own until the block ends; ``stop`` makes it return."""
    thread = threading.Thread(target=work, name=name)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join()


class Heartbeat:
    """Says every few seconds that this worker is alive."""

    def __init__(self, store: Store, worker_id: str, written: Callable[[], None]) -> None:
        """:param written: called after each heartbeat that the database has taken."""
        self._store = store
        self._worker_id = worker_id
        self._written = written
        self._stopped = threading.Event()

    def run(self) -> None:
        pause = presence.HEARTBEAT_S
        while not self._stopped.wait(pause):
            pause = presence.HEARTBEAT_S if survive("heartbeat", self._beat) else AGAIN_S
        self._store.close_thread()

    def _beat(self) -> None:
        presence.beat(self._store, self._worker_id, now())
        self._written()

    def stop(self) -> None:
        self._stopped.set()


class RelayPump:
    """Appends committed events to ``events.jsonl`` as soon as they are rung for."""

    def __init__(self, store: Store, doorbell: Doorbell, relay: Relay) -> None:
        self._store = store
        self._relay = relay
        self._listener = doorbell.listen("events")
        self._stopped = threading.Event()
        # What the worker before us said may stand there still.
        self._failing_since: Micros | None = 0 if subsystems.read("events_relay") else None

    def run(self) -> None:
        while not self._stopped.is_set():
            if not survive("relay", self._append):
                self._stopped.wait(AGAIN_S)
            self._listener.wait(SAFETY_NET_S)
            self._stopped.wait(GATHER_S)
        survive("relay", self._append)
        self._store.close_thread()

    def _append(self) -> None:
        """Relay what is there; where the file fails, say so until it is well again."""
        try:
            self._relay.run_once()
        except OSError as error:
            if self._failing_since is None:
                self._failing_since = now()
            self._say(type(error).__name__)
            raise
        if self._failing_since is not None:
            self._failing_since = None
            self._say(None)

    def _say(self, error_class: str | None) -> None:
        since = self._failing_since
        degraded = None
        if since is not None:
            degraded = {"since": to_rfc3339(since), "last_error_class": error_class}
        with self._store.transaction():
            subsystems.write("events_relay", {"degraded_jsonl": degraded}, now())

    def stop(self) -> None:
        self._stopped.set()
        self._listener.wake()

    def close(self) -> None:
        self._listener.close()


class BenchWatch:
    """Follows one provider's engine, so that a stopped container is known at once."""

    def __init__(self, store: Store, provider: BenchProvider, containers: ContainerService) -> None:
        self._store = store
        self._provider = provider
        self._containers = containers
        self._stopped = threading.Event()

    def run(self) -> None:
        for event in self._provider.events(self._stopped.is_set):
            self._heed(partial(self._containers.heed, event))
        self._store.close_thread()

    def _heed(self, heed: Callable[[], None]) -> None:
        """The engine tells once; a database that is locked just then must not lose it."""
        for _ in range(HEED_TRIES):
            if survive("bench events", heed) or self._stopped.wait(AGAIN_S):
                return

    def stop(self) -> None:
        self._stopped.set()
        self._provider.close()


def survive(what: str, work: Callable[[], object]) -> bool:
    """Do ``work``; an error is logged and answered with ``False``."""
    try:
        work()
    except AgentTowerError as error:
        log.warning("%s waits: %s", what, error.message, extra={"action": "pump_waits"})
        return False
    except Exception:
        log.exception("%s failed; trying again", what, extra={"action": "pump_error"})
        return False
    return True
