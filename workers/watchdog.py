"""Feeding the service manager's watchdog: by work that goes on, not by a thread that lives.

A worker can have a beating heart and do nothing: its readers gone, or a step stuck in a call that
keeps no deadline. Then the watchdog goes hungry, systemd restarts the process, and the ledger goes
on where it was.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from agenttower.domain.retry import ATTEMPT_TIMEOUT_S
from agenttower.notify import WATCHDOG, notify
from agenttower.store.database import BUSY_TIMEOUT_S, WRITE_TRIES

log = logging.getLogger(__name__)

STUCK_AFTER_S = ATTEMPT_TIMEOUT_S + 2 * WRITE_TRIES * BUSY_TIMEOUT_S + 10.0
"""An attempt, with a locked database holding up both its claim and its settling; and some air."""


class Watchdog:
    """Knows what this worker is at, and tells the service manager while that is in order."""

    def __init__(
        self,
        tell: Callable[[str], None] = notify,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tell = tell
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._running: dict[tuple[int, int], float] = {}
        self._looked_at = monotonic()

    @contextmanager
    def step(self, step_id: int) -> Iterator[None]:
        """Around a step that runs."""
        key = (step_id, threading.get_ident())  # a step may be asked for twice at once
        with self._lock:
            self._running[key] = self._monotonic()
        try:
            yield
        finally:
            with self._lock:
                del self._running[key]

    def looked(self) -> None:
        """A reader has looked into the queue. Where all threads run steps, none does for a while;
        but no longer than their steps may take."""
        self._looked_at = self._monotonic()

    def heartbeat_written(self) -> None:
        """Feed, unless something is stuck; without a heartbeat there is nothing to eat either."""
        reason = self.stuck()
        if reason is None:
            self._tell(WATCHDOG)
        else:
            log.error("%s; the watchdog is not fed", reason, extra={"action": "worker_stuck"})

    def stuck(self) -> str | None:
        """What does not move any more, or ``None``."""
        now = self._monotonic()
        with self._lock:
            late = [key for key, since in self._running.items() if now - since > STUCK_AFTER_S]
        if late:
            return f"step {min(late)[0]} has been running for more than {STUCK_AFTER_S:g} s"
        if now - self._looked_at > STUCK_AFTER_S:
            return f"nobody has looked into the queue for more than {STUCK_AFTER_S:g} s"
        return None
