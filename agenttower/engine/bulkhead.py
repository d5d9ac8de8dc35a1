"""A bulkhead: so many jobs of one lane at once, so that a stuck lane cannot take all threads."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Hashable

log = logging.getLogger(__name__)

Job = Callable[[], None]


OVERDUE_S = 1.0
"""A lane with a job that runs longer is stuck: it gets no second thread until the job is done."""


class Bulkhead:
    """Runs jobs in the caller's thread, or parks them for the thread that frees their lane."""

    def __init__(self, limit: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._running: defaultdict[str, list[float]] = defaultdict(list)
        """When each running job of a lane was started, the oldest first."""
        self._parked: defaultdict[str, dict[Hashable, Job]] = defaultdict(dict)
        self._stopped = False

    def run(self, lane: str, key: Hashable, job: Job) -> None:
        """Run ``job`` now, or park it; the same ``key`` is parked once.

        The thread that finishes a job goes on with the lane's oldest parked one.
        """
        with self._lock:
            if self._is_full(lane):
                self._parked[lane].setdefault(key, job)
                return
            started = self._monotonic()
            self._running[lane].append(started)
        following: Job | None = job
        while following is not None:
            try:
                following()
            except Exception:
                log.exception("job failed", extra={"action": "job_failed"})
            started, following = self._next(lane, started)

    def _is_full(self, lane: str) -> bool:
        running = self._running[lane]
        stuck = bool(running) and self._monotonic() - running[0] > OVERDUE_S
        return stuck or len(running) >= self._limit

    def _next(self, lane: str, started: float) -> tuple[float, Job | None]:
        with self._lock:
            running, parked = self._running[lane], self._parked[lane]
            running.remove(started)
            # Several jobs may wait behind one that was stuck; one thread is enough to go on.
            if parked and not self._stopped and not self._is_full(lane):
                started = self._monotonic()
                running.append(started)
                return started, parked.pop(next(iter(parked)))
            if not running and not parked:
                del self._running[lane], self._parked[lane]
            return started, None

    def stop(self) -> None:
        """Let running jobs finish and start no parked one; the rows remember what was parked."""
        with self._lock:
            self._stopped = True
