"""The worker's delivery of prompts: one at a time for each agent, many agents side by side."""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable

from agenttower.engine.doorbell import SAFETY_NET_S, Doorbell
from agenttower.errors import AgentTowerError
from agenttower.services.delivery import Delivery
from agenttower.store.database import Store
from agenttower.store.prompts import PromptRecord

log = logging.getLogger(__name__)

THREADS = 32
PER_CONTAINER = 8
"""A bench that hangs keeps so many of the threads."""
AGAIN_S = 1.0
"""After an error, before the next look at the queue."""

Lane = tuple[str, str]
"""An agent and its container."""


class Lanes:
    """Whose turn it is: first come, first served, each agent once, so many in a container."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._line: deque[Lane] = deque()
        self._running: set[Lane] = set()
        self._again: set[Lane] = set()
        self._closed = False

    def add(self, lanes: list[Lane]) -> None:
        """Something waits for these; one that has its turn now gets another."""
        with self._changed:
            for lane in lanes:
                if lane in self._running:
                    self._again.add(lane)
                elif lane not in self._line:
                    self._line.append(lane)
            self._changed.notify_all()

    def take(self) -> Lane | None:
        """Wait for a turn; ``None`` once closed. Give it back with :meth:`done`."""
        with self._changed:
            while not self._closed:
                lane = self._first()
                if lane is not None:
                    self._line.remove(lane)
                    self._running.add(lane)
                    return lane
                self._changed.wait()
        return None

    def _first(self) -> Lane | None:
        share = Counter(container_id for _, container_id in self._running)
        return next((lane for lane in self._line if share[lane[1]] < PER_CONTAINER), None)

    def done(self, lane: Lane, *, more: bool) -> None:
        """The turn is over; where there may be more, the next one comes after all others'."""
        with self._changed:
            self._running.discard(lane)
            if more or lane in self._again:
                self._line.append(lane)
            self._again.discard(lane)
            self._changed.notify_all()

    def wanted(self) -> int:
        """How many threads could be at work."""
        with self._changed:
            return len(self._line) + len(self._running)

    def close(self) -> None:
        """No more turns."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class DeliveryPump:
    """Delivers each agent's prompts in order, as soon as the bell tells of them."""

    def __init__(self, store: Store, doorbell: Doorbell, delivery: Delivery) -> None:
        self._store = store
        self._delivery = delivery
        self._listener = doorbell.listen("prompts")
        self._stopped = threading.Event()
        self._lanes = Lanes()
        self._threads: list[threading.Thread] = []
        self._deliverers = 0

    def run(self) -> None:
        """Deliver until told to stop; what is being typed then is finished."""
        orphans = self._interrupt_orphans()
        if orphans:
            self._start("clear", lambda: self._delivery.clear_after(orphans))
        while not self._stopped.is_set():
            self._listener.wait(self._turn())
        for thread in self._threads:
            thread.join()
        self._survive(self._delivery.settle_late)
        self._store.close_thread()

    def _interrupt_orphans(self) -> list[PromptRecord]:
        """Before anything else: what a dead worker left must not look as if it were under way."""
        while not self._stopped.is_set():
            try:
                return self._delivery.interrupt_orphans()
            except Exception:
                log.exception("delivery cannot begin yet", extra={"action": "pump_error"})
                self._stopped.wait(AGAIN_S)
        return []

    def _turn(self) -> float:
        """See for whom something waits, and have enough threads for them.

        :return: seconds until the next look, unless the bell rings before.
        """
        pause = SAFETY_NET_S

        def look() -> None:
            nonlocal pause
            self._delivery.settle_late()
            until_due = self._delivery.release_due()
            self._lanes.add(self._delivery.waiting())
            pause = SAFETY_NET_S if until_due is None else min(SAFETY_NET_S, until_due)

        if not self._survive(look):
            return AGAIN_S
        while self._deliverers < min(THREADS, self._lanes.wanted()):
            self._start("deliver", self._work)
            self._deliverers += 1
        return pause

    def _start(self, name: str, work: Callable[[], None]) -> None:
        def run() -> None:
            self._survive(work)
            self._store.close_thread()

        thread = threading.Thread(target=run, name=name)
        thread.start()
        self._threads.append(thread)

    def _work(self) -> None:
        while (lane := self._lanes.take()) is not None:
            more = False
            try:
                more = self._delivery.deliver_next(lane[0])
            except Exception:
                log.exception("delivery failed", extra={"action": "prompt_error"})
            finally:
                self._lanes.done(lane, more=more)

    def _survive(self, work: Callable[[], None]) -> bool:
        try:
            work()
        except AgentTowerError as error:
            log.warning("prompts wait: %s", error.message, extra={"action": "pump_waits"})
            return False
        except Exception:
            log.exception("prompts wait", extra={"action": "pump_error"})
            return False
        return True

    def stop(self) -> None:
        """Claim nothing more, and wait for no pane any more."""
        self._stopped.set()
        self._delivery.stop()
        self._lanes.close()
        self._listener.wake()

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()
