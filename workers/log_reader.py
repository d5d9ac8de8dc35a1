"""The worker's threads that read what agents print."""

from __future__ import annotations

import threading

from agenttower.engine.doorbell import Doorbell
from agenttower.services.log_reader import LogReader
from agenttower.services.reader_status import ReaderStatus
from agenttower.services.reading_state import Look
from agenttower.store.database import Store
from workers.log_growth import LogGrowth, directories_of
from workers.pumps import AGAIN_S, survive

GATHER_S = 0.1
"""After a change, so that one transaction takes what a program prints in a row."""
BREATH_S = 0.002
"""Between two looks of a reader that is behind: steps and heartbeats need the interpreter too."""


class LogReaderPump:
    """Runs a reader: at once when the kernel tells of a change, else once a cycle."""

    def __init__(
        self,
        store: Store,
        doorbell: Doorbell,
        reader: LogReader,
        status: ReaderStatus,
        cycle_s: float,
    ) -> None:
        """:param cycle_s: how long the kernel is trusted to tell, in seconds."""
        self._store = store
        self._reader = reader
        self._status = status
        self._cycle_s = cycle_s
        self._listener = doorbell.listen("logs")
        self._growth = LogGrowth()
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.is_set():
            self._growth.grown()
            if not survive("log reader", self._look):
                self._stopped.wait(AGAIN_S)
        survive("log reader", self._status.stopped)
        self._store.close_thread()

    def _look(self) -> None:
        look = self._reader.look()
        self._growth.follow(directories_of(look.paths))
        self._status.tell(look, self._reader.troubles, self._reader.cut_lines)
        if look.more:
            self._stopped.wait(BREATH_S)
        elif self._growth.wait(self._listener, self._pause(look)):
            self._stopped.wait(GATHER_S)

    def _pause(self, look: Look) -> float:
        return self._cycle_s if look.due_in_s is None else min(self._cycle_s, look.due_in_s)

    def stop(self) -> None:
        self._stopped.set()
        self._reader.stop()
        self._listener.wake()

    def close(self) -> None:
        self._growth.close()
        self._listener.close()
