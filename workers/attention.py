"""When a pane is looked at for whether it waits for a person.

A program that asks draws its question and is quiet. So a pane is looked at once its log has not
grown for a moment; while it waits for somebody, soon after it goes on. Behind that stands a slow
look at every pane, which is all there is for panes without a log.
"""

from __future__ import annotations

import logging
import select
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from agenttower.engine.doorbell import SAFETY_NET_S, Doorbell
from agenttower.errors import AgentTowerError
from agenttower.services.attention import AttentionService
from agenttower.store import attention as rows
from agenttower.store.attention import Watched
from agenttower.store.database import Store
from workers.log_growth import LogGrowth, directories_of

log = logging.getLogger(__name__)

QUIET_S = 1.5
"""A log that has not grown for so long belongs to a program that waits, or works in silence."""
ANSWERED_S = 0.5
"""A pane that waited is looked at so soon after it goes on."""
NEVER_QUIET_S = 5.0
"""A pane that draws all the time is looked at so often."""
SLOW_LOOK_S = 60.0
BLIND_LOOK_S = 10.0
BLIND_WAITING_LOOK_S = 3.0
"""How often a pane without a log is looked at, and while it waits."""
LOOK_TIMEOUT_S = 5.0
GATHER_S = 0.2
AGAIN_S = 5.0
"""After a bench could not be asked."""
THREADS = 4


@dataclass
class _Pane:
    """A watched pane, and when it is due (monotonic seconds)."""

    watched: Watched
    due: float
    noisy_since: float | None = None
    waits: bool = False

    @property
    def longest_pause(self) -> float:
        """How long it may go without a look, in seconds."""
        if self.watched.log_path is not None:
            return SLOW_LOOK_S
        return BLIND_WAITING_LOOK_S if self.waits else BLIND_LOOK_S


class AttentionPump:
    """Decides which panes are looked at; a few threads look, one container's in one of them."""

    def __init__(self, store: Store, doorbell: Doorbell, service: AttentionService) -> None:
        self._store = store
        self._service = service
        self._listener = doorbell.listen("events")
        self._stopped = threading.Event()
        self._panes: dict[str, _Pane] = {}
        self._looking: set[str] = set()
        self._lock = threading.Lock()

    def run(self) -> None:
        growth = LogGrowth()
        try:
            with ThreadPoolExecutor(THREADS, "attention") as pool:
                self._loop(growth, pool)
        finally:
            growth.close()
            self._store.close_thread()

    def stop(self) -> None:
        self._stopped.set()
        self._listener.wake()

    def close(self) -> None:
        self._listener.close()

    # --- when ------------------------------------------------------------------------------------

    def _loop(self, growth: LogGrowth, pool: ThreadPoolExecutor) -> None:
        refresh_at = 0.0
        while not self._stopped.is_set():
            now = time.monotonic()
            if now >= refresh_at:
                self._refresh(growth, now)
                refresh_at = now + SAFETY_NET_S
            self._hear(growth, now)
            self._begin(pool, now)
            pause = max(0.0, min([refresh_at, *self._next_due()]) - time.monotonic())
            select.select([self._listener.fileno(), growth.fileno()], [], [], pause)
            if self._listener.wait(0):
                refresh_at = 0.0
            self._stopped.wait(GATHER_S)  # rings and writes come in crowds

    def _refresh(self, growth: LogGrowth, now: float) -> None:
        """Take up the panes that have come, drop those that have gone."""
        try:
            found, waiting, untold = rows.watched(), rows.all_agents(), rows.untold()
            self._service.forget_others(found)
        except Exception:
            log.exception("attention failed; trying again", extra={"action": "pump_error"})
            return
        with self._lock:
            for agent_id, watched in found.items():
                known = self._panes.get(agent_id)
                if known is None or known.watched != watched:
                    self._panes[agent_id] = known = _Pane(watched, now + QUIET_S)
                known.waits = agent_id in waiting
                known.due = min(known.due, now + known.longest_pause)
                if agent_id in untold:
                    known.due = min(known.due, now)
            for agent_id in self._panes.keys() - found.keys():
                del self._panes[agent_id]
        logs = [watched.log_path for watched in found.values() if watched.log_path is not None]
        growth.follow(directories_of(logs))

    def _hear(self, growth: LogGrowth, now: float) -> None:
        grown = {str(path) for path in growth.grown()}
        if not grown:
            return
        with self._lock:
            for pane in self._panes.values():
                if pane.watched.log_path in grown:
                    if pane.noisy_since is None:
                        pane.noisy_since = now
                    pane.due = min(now + QUIET_S, pane.noisy_since + NEVER_QUIET_S)
                    if pane.waits:
                        pane.due = min(pane.due, pane.noisy_since + ANSWERED_S)

    def _next_due(self) -> list[float]:
        with self._lock:
            return [
                pane.due
                for pane in self._panes.values()
                if pane.watched.container_id not in self._looking
            ]

    # --- looking ---------------------------------------------------------------------------------

    def _begin(self, pool: ThreadPoolExecutor, now: float) -> None:
        with self._lock:
            due: dict[str, list[_Pane]] = {}
            for pane in self._panes.values():
                container = pane.watched.container_id
                if pane.due <= now and container not in self._looking:
                    due.setdefault(container, []).append(pane)
            for panes in due.values():
                for pane in panes:
                    pane.noisy_since = None
                    pane.due = now + pane.longest_pause
            self._looking |= due.keys()
        for container, panes in due.items():
            pool.submit(self._look, container, [pane.watched for pane in panes])

    def _look(self, container_id: str, panes: list[Watched]) -> None:
        try:
            for pane in panes:
                if not self._stopped.is_set():
                    self._service.look(pane, time.monotonic() + LOOK_TIMEOUT_S)
        except AgentTowerError as error:
            log.debug("not looked at: %s", error.message, extra={"action": "attention_waits"})
            self._again(panes)
        except Exception:
            log.exception("attention failed; trying again", extra={"action": "pump_error"})
            self._again(panes)
        finally:
            self._store.close_thread()
            with self._lock:
                self._looking.discard(container_id)
            self._listener.wake()

    def _again(self, panes: list[Watched]) -> None:
        with self._lock:
            for watched in panes:
                pane = self._panes.get(watched.agent_id)
                if pane is not None:
                    pane.due = min(pane.due, time.monotonic() + AGAIN_S)
