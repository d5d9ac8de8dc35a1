"""A bounded pool of threads for handlers.

Not ``concurrent.futures``: that one insists on joining every thread when the interpreter exits, so
one handler that never returns would keep the daemon from ending.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

log = logging.getLogger(__name__)

Task = Callable[[], None]


class Pool:
    """Threads are made as they are needed, up to the limit, and kept. One owner submits."""

    def __init__(self, threads: int, on_thread_exit: Task | None = None) -> None:
        """:param on_thread_exit: run at the end of each thread (closes its database connection)."""
        self._limit = threads
        self._on_thread_exit = on_thread_exit
        self._threads: list[threading.Thread] = []
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)

    def submit(self, task: Task) -> None:
        """Run ``task`` on a free thread, or queue it. The task itself must not raise."""
        self._tasks.put(task)
        if not self._idle.acquire(blocking=False) and len(self._threads) < self._limit:
            name = f"rpc-{len(self._threads) + 1}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self, patience_s: float) -> None:
        """Let what is queued finish and end the threads; one that is stuck is left and named."""
        for _ in self._threads:
            self._tasks.put(None)
        until = time.monotonic() + patience_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                log.error("thread %s is stuck in a request and is left behind", thread.name)
        self._threads.clear()

    def _work(self) -> None:
        try:
            while (task := self._tasks.get()) is not None:
                task()
                del task  # or an idle thread would keep its last request alive
                self._idle.release()
        finally:
            if self._on_thread_exit is not None:
                self._on_thread_exit()
