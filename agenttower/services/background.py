"""Work that no request has to hold a thread for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

PATIENCE_S = 2.0
"""How long the end of the daemon waits for a run."""


class Background:
    """A thread for each piece of work, as long as it lasts. Safe for use by several threads.

    Who starts work keeps it few: there is one probe of the engine and one scan of each kind.
    """

    def __init__(self, on_thread_exit: Callable[[], None]) -> None:
        """:param on_thread_exit: run at the end of each thread (closes its database connection)."""
        self._on_thread_exit = on_thread_exit
        self._lock = threading.Lock()
        self._running: set[threading.Thread] = set()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether all is to end: what runs still has nobody to tell."""
        return self._closed

    def start(self, name: str, work: Callable[[], None]) -> bool:
        """Run ``work``, which must not raise, in a thread of this name.

        :return: ``False``, and nothing was started, where all is to end.
        """

        def run() -> None:
            try:
                work()
            finally:
                self._on_thread_exit()
                with self._lock:
                    self._running.discard(thread)

        # A daemon thread: an engine that hangs must not keep this process from ending.
        thread = threading.Thread(target=run, name=name, daemon=True)
        with self._lock:
            if self._closed:
                return False
            self._running.add(thread)
            thread.start()
            return True

    def close(self) -> None:
        """Start nothing more, and let what runs finish; one that does not is left and named."""
        with self._lock:
            self._closed = True
            running = list(self._running)
        until = time.monotonic() + PATIENCE_S
        for thread in running:
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                log.error("%s is not done and is left behind", thread.name)
