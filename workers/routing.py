"""The worker's standing threads of routing: events to prompts, and the heartbeat that tells of it.

Routing is told of new events by the bell; it looks by itself only behind a lost ring, after a
decision that could not be written, and when the brake of a route is over.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from agenttower.clock import SECOND, Clock
from agenttower.engine.doorbell import SAFETY_NET_S, Doorbell
from agenttower.errors import AgentTowerError
from agenttower.services.routing import Routing
from agenttower.services.routing_tally import RoutingTally
from agenttower.store import routing
from agenttower.store.database import Store
from workers.pumps import GATHER_S

log = logging.getLogger(__name__)


class RoutingPump:
    """Runs cycles: when rung, and when the last one asked for another."""

    def __init__(
        self, store: Store, doorbell: Doorbell, routing: Routing, clock: Clock, retry_s: float
    ) -> None:
        """:param retry_s: seconds until the next look after one that failed as a whole."""
        self._store = store
        self._routing = routing
        self._clock = clock
        self._retry_s = retry_s
        self._listener = doorbell.listen("events")
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.is_set():
            wait_s = self._cycle()
            if self._listener.wait(wait_s):
                self._stopped.wait(GATHER_S)
        self._store.close_thread()

    def _cycle(self) -> float:
        """One cycle; returns for how many seconds the bell may be trusted."""
        try:
            again_at = self._routing.cycle(self._stopped.is_set)
        except AgentTowerError as error:
            log.warning("routing waits: %s", error.message, extra={"action": "pump_waits"})
            return self._retry_s
        except Exception:
            log.exception("routing failed; trying again", extra={"action": "pump_error"})
            return self._retry_s
        if again_at is None:
            return SAFETY_NET_S
        return min(SAFETY_NET_S, max(0.0, (again_at - self._clock()) / SECOND))

    def stop(self) -> None:
        self._stopped.set()
        self._listener.wake()

    def close(self) -> None:
        self._listener.close()


class RoutingHeartbeat:
    """Writes ``routing_worker_heartbeat``: the first after a whole interval, none at the end."""

    def __init__(
        self,
        store: Store,
        tally: RoutingTally,
        interval_s: float,
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._tally = tally
        self._interval_s = interval_s
        self._clock = clock
        self._wake = wake
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(self._interval_s):
            self.beat()
        self._store.close_thread()

    def beat(self) -> bool:
        """Write one line; what could not be written counts into the next."""
        counted = self._tally.beat()
        try:
            with self._store.transaction() as transaction:
                newest = routing.append_line(
                    routing.HEARTBEAT,
                    {
                        "interval_seconds": round(self._interval_s),
                        "cycles_since_last_heartbeat": counted.cycles,
                        "events_consumed_since_last_heartbeat": counted.events_consumed,
                        "skips_since_last_heartbeat": counted.skips,
                        "degraded": counted.degraded,
                    },
                    self._clock(),
                )
                routing.prune_heartbeats(newest)
                transaction.afterwards("readers", self._wake)
        except AgentTowerError as error:
            self._tally.give_back(counted)
            log.warning("heartbeat waits: %s", error.message, extra={"action": "pump_waits"})
            return False
        return True

    def stop(self) -> None:
        self._stopped.set()
