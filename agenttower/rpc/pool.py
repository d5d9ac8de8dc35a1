"""A bounded pool of threads for handlers, shared fairly among those who ask.

Not ``concurrent.futures``: that one insists on joining every thread when the interpreter exits, so
one handler that never returns would keep the daemon from ending.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable

from agenttower.rpc.accounts import Account

log = logging.getLogger(__name__)

Task = Callable[[], None]


class Pool:
    """Threads are made as they are needed, up to the limit, and kept. One owner submits.

    Those who ask take turns: one task of each, whatever else the same one has queued. Of the idle
    threads the one that worked last is woken, so that a quiet pool keeps few database caches warm.
    """

    def __init__(
        self,
        threads: int,
        on_thread_exit: Task | None = None,
        *,
        foreign_running: int | None = None,
    ) -> None:
        """:param on_thread_exit: run at the end of each thread (closes its database connection).
        :param foreign_running: threads that those who are not the host may hold together.
        """
        self._limit = threads
        self._on_thread_exit = on_thread_exit
        self._foreign_limit = threads if foreign_running is None else foreign_running
        self._threads: list[threading.Thread] = []
        self._queues: dict[Account, deque[Task]] = {}
        self._running: Counter[Account] = Counter()
        self._foreign_running = 0
        self._asleep: list[threading.Semaphore] = []
        self._closed = False
        self._lock = threading.Lock()

    def queued(self, account: Account) -> int:
        """How many tasks of one account wait for a thread."""
        with self._lock:
            return len(self._queues.get(account, ()))

    def is_full(self, account: Account) -> bool:
        """Whether no more tasks of one account may wait, beside those that may begin at once.

        A thread that is just starting has not taken its task yet, and that is nobody's fault.
        """
        with self._lock:
            about_to_begin = account.share.running - self._running[account]
            waiting = len(self._queues.get(account, ())) - about_to_begin
            return waiting >= account.share.queued

    def submit(self, account: Account, task: Task) -> None:
        """Run ``task`` on a free thread, or queue it. The task itself must not raise."""
        with self._lock:
            self._queues.setdefault(account, deque()).append(task)
            if not self._may_run(account):
                return  # a thread that ends one of the same share's tasks will see it
            if self._asleep:
                self._asleep.pop().release()
            elif len(self._threads) < self._limit:
                self._start_thread()

    def close(self, patience_s: float) -> None:
        """Let what is queued finish and end the threads; one that is stuck is left and named."""
        with self._lock:
            self._closed = True
            self._wake_all()
        until = time.monotonic() + patience_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                log.error("thread %s is stuck in a request and is left behind", thread.name)
        self._threads.clear()

    def _start_thread(self) -> None:
        name = f"rpc-{len(self._threads) + 1}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        alarm = threading.Semaphore(0)
        try:
            while (taken := self._take(alarm)) is not None:
                account, task = taken
                task()
                del task, taken  # or an idle thread would keep its last request alive
                self._done(account)
                del account
        finally:
            if self._on_thread_exit is not None:
                self._on_thread_exit()

    def _take(self, alarm: threading.Semaphore) -> tuple[Account, Task] | None:
        """The next task, waiting for it; ``None`` when the pool is closed and empty."""
        while True:
            with self._lock:
                account = next(filter(self._may_run, self._queues), None)
                if account is not None:
                    return account, self._begin(account)
                if self._closed and not self._queues:
                    return None
                self._asleep.append(alarm)
            alarm.acquire()

    def _may_run(self, account: Account) -> bool:
        if self._running[account] >= account.share.running:
            return False
        return account.is_host or self._foreign_running < self._foreign_limit

    def _begin(self, account: Account) -> Task:
        queue = self._queues.pop(account)
        task = queue.popleft()
        if queue:
            self._queues[account] = queue  # at the end: now it is the others' turn
        self._running[account] += 1
        self._foreign_running += not account.is_host
        return task

    def _done(self, account: Account) -> None:
        with self._lock:
            self._running[account] -= 1
            if not self._running[account]:
                del self._running[account]
            self._foreign_running -= not account.is_host
            # What may run now because of it, this thread takes itself.
            if self._closed:
                self._wake_all()

    def _wake_all(self) -> None:
        while self._asleep:
            self._asleep.pop().release()
