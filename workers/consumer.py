"""Huey's consumer with our own way to stop.

Huey stops at once on SIGTERM and loses what runs; here SIGTERM and SIGINT both mean: take nothing
new, finish the steps that run, go (design.md section 6). What could not finish is in the ledger.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType

from huey.consumer import Consumer

from agenttower.notify import READY, STOPPING, notify
from workers.queue import StepHuey

STOP_TIMEOUT_S = 35.0
"""One attempt's 30 s and its settling."""
HEALTH_CHECK_S = 10.0


class StepConsumer(Consumer):
    """Worker threads that run steps, and Huey's scheduler for the periodic tasks."""

    def __init__(self, huey: StepHuey, threads: int, stopping: threading.Event) -> None:
        """:param stopping: once set, the consumer stops; whoever handles signals sets it."""
        super().__init__(
            huey,
            workers=threads,
            periodic=True,
            scheduler_interval=60,
            worker_type="thread",
            health_check_interval=HEALTH_CHECK_S,
        )
        self._stopping = stopping

    def run(self) -> None:
        """Run until told to stop; returns once the threads have ended."""
        self.huey.storage.listen()
        self.start()
        notify(READY)
        try:
            while not self._stopping.wait(HEALTH_CHECK_S):
                self.check_worker_health()
        finally:
            notify(STOPPING)
            self.stop_flag.set()
            self.huey.storage.stop()
            self.shutdown_timeout = STOP_TIMEOUT_S
            self._join_workers()
            self.huey.storage.hang_up()

    def _set_signal_handlers(self) -> None:
        """They stand since the process began; see :func:`stop_on_signals`."""


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set, from now on."""
    stopping = threading.Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        stopping.set()

    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, stop)
    return stopping
