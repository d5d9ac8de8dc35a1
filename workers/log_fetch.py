"""Copies the logs that no mount shows us (``logs.fallback = "exec"``), a piece at a time.

tmux cannot tell that a pane has said something, and a process in each bench to wait for it would
cost more than to ask: often while something comes, seldom while nothing does.
"""

from __future__ import annotations

import logging
import threading
import time

from agenttower.bench.registry import Benches
from agenttower.clock import SECOND, Micros, now
from agenttower.engine.doorbell import Doorbell
from agenttower.errors import AgentTowerError
from agenttower.services.log_fetch import CHUNK, LogFetch
from agenttower.store import agent_logs
from agenttower.store.database import Store

log = logging.getLogger(__name__)

SOONEST_S = 0.3
LATEST_S = 3.0
"""The pause between two looks at one log: the first after output, then twice as long each time."""
ASK_TIMEOUT_S = 10.0
LAST_BYTES: Micros = 60 * SECOND
"""How long after its end a log may still have something that is not copied."""
LONG_AGO: Micros = 24 * 3600 * SECOND
"""The same, for what ended while no worker ran."""
NOTHING_S = 30.0
"""How long to trust the bell where there is no such log."""


class LogFetchPump:
    """One thread for all such logs."""

    def __init__(self, store: Store, benches: Benches, doorbell: Doorbell, fetch: LogFetch) -> None:
        self._store = store
        self._benches = benches
        self._fetch = fetch
        self._listener = doorbell.listen("logs")
        self._stopped = threading.Event()
        self._pauses: dict[str, float] = {}
        self._due: dict[str, float] = {}
        self._back = LONG_AGO

    def run(self) -> None:
        while not self._stopped.is_set():
            pause = LATEST_S
            try:
                pause = self._round()
            except AgentTowerError as error:
                log.warning("log fetch waits: %s", error.message, extra={"action": "pump_waits"})
            except Exception:
                log.exception("log fetch failed; trying again", extra={"action": "pump_error"})
            if self._listener.wait(pause):
                self._due.clear()
        self._store.close_thread()

    def stop(self) -> None:
        self._stopped.set()
        self._listener.wake()

    def close(self) -> None:
        self._listener.close()

    def _round(self) -> float:
        """Copy what is due; returns how long nothing will be."""
        logs = agent_logs.fetched_through_engine(now() - self._back)
        living = {record.attachment_id for _, record in logs}
        for gone in self._due.keys() - living:
            del self._due[gone]
            self._pauses.pop(gone, None)
        for container_id, record in logs:
            if self._stopped.is_set():
                break
            if self._due.get(record.attachment_id, 0.0) <= time.monotonic():
                self._copy(container_id, record.attachment_id)
        self._back = LAST_BYTES
        soonest = min(self._due.values(), default=time.monotonic() + NOTHING_S)
        return max(soonest - time.monotonic(), 0.0)

    def _copy(self, container_id: str, attachment_id: str) -> None:
        copied = 0
        try:
            bench = self._benches.get(container_id)
            copied = self._fetch.once(bench, attachment_id, time.monotonic() + ASK_TIMEOUT_S)
        except (AgentTowerError, OSError) as error:
            log.info("log not copied: %s", error, extra={"action": "log_fetch_waits"})
        pause = min(2 * self._pauses.get(attachment_id, SOONEST_S), LATEST_S)
        if copied:
            pause = 0.0 if copied >= CHUNK else SOONEST_S
        self._pauses[attachment_id] = max(pause, SOONEST_S)
        self._due[attachment_id] = time.monotonic() + pause
