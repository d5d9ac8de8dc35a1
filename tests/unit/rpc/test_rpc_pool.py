"""Threads are shared among peers: in turns, within each one's share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import given, settings
from hypothesis import strategies as st

from agenttower.rpc.accounts import Account
from agenttower.rpc.limits import Limits, Share
from agenttower.rpc.pool import Pool
from tests.support.waiting import wait_until


def peer(key: str, running: int = 2, *, host: bool = True) -> Account:
    return Account(key, "host" if host else "bench", Share(9, running, 9, 9, 9))


@contextmanager
def pool(threads: int, foreign: int | None = None) -> Iterator[Pool]:
    made = Pool(threads, foreign_running=foreign)
    try:
        yield made
    finally:
        made.close(10)


class Log:
    """Notes who ran, and holds whoever is told to wait."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.started = 0
        self.release = threading.Event()
        self._lock = threading.Lock()

    def hold(self) -> None:
        with self._lock:
            self.started += 1
        assert self.release.wait(10)

    def note(self, name: str) -> None:
        with self._lock:
            self.ran.append(name)


def test_one_peers_flood_delays_another_by_one_task() -> None:
    log, greedy, modest = Log(), peer("greedy"), peer("modest")
    with pool(1) as threads:
        threads.submit(greedy, log.hold)
        for _ in range(50):
            threads.submit(greedy, lambda: log.note("greedy"))
        threads.submit(modest, lambda: log.note("modest"))
        assert threads.queued(greedy) in (50, 51)
        log.release.set()
    assert log.ran.index("modest") <= 1
    assert len(log.ran) == 51


def test_a_share_of_threads_is_not_exceeded_and_the_rest_is_for_others() -> None:
    log, greedy, modest = Log(), peer("greedy", 2), peer("modest", 2)
    with pool(3) as threads:
        for _ in range(5):
            threads.submit(greedy, log.hold)
        wait_until(lambda: log.started == 2, 10, "its share to run")
        threads.submit(modest, lambda: log.note("modest"))
        wait_until(lambda: log.ran == ["modest"], 10, "the other to be served")
        assert (log.started, threads.queued(greedy)) == (2, 3)
        log.release.set()
    assert log.started == 5


def test_strangers_together_leave_threads_for_the_host() -> None:
    log = Log()
    with pool(3, foreign=2) as threads:
        for number in range(4):
            threads.submit(peer(f"bench {number}", host=False), log.hold)
        wait_until(lambda: log.started == 2, 10, "two of them to run")
        threads.submit(peer("host"), lambda: log.note("host"))
        wait_until(lambda: log.ran == ["host"], 10, "the host to be served")
        assert log.started == 2
        log.release.set()
    assert log.started == 4


def test_a_peer_that_comes_back_is_still_the_same() -> None:
    """Its requests were given up and go on: that frees none of its share."""
    log = Log()
    with pool(4) as threads:
        threads.submit(peer("stuck", 1), log.hold)
        wait_until(lambda: log.started == 1, 10, "it to run")
        threads.submit(peer("stuck", 1), lambda: log.note("again"))
        threads.submit(peer("other", 1), lambda: log.note("other"))
        wait_until(lambda: log.ran == ["other"], 10, "the other to be served")
        log.release.set()
    assert log.ran == ["other", "again"]


def test_a_burst_gets_as_many_threads_as_there_may_be() -> None:
    """Two tasks for one idle thread need a second thread."""
    barrier, limits = threading.Barrier(4), Limits()
    one = Account("one", "host", limits.host)
    with pool(8) as threads:
        threads.submit(one, lambda: None)
        wait_until(lambda: not threads.queued(one), 10, "the first thread to idle")
        for _ in range(4):
            threads.submit(one, lambda: barrier.wait(10) and None)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=60),
    st.integers(1, 4),
    st.integers(1, 3),
)
def test_everything_that_was_queued_is_run_once(
    tasks: list[tuple[int, bool]], threads: int, running: int
) -> None:
    log = Log()
    with pool(threads, foreign=max(1, threads - 1)) as shared:
        for number, (who, host) in enumerate(tasks):
            name = str(number)
            account = peer(f"{who} {host}", running, host=host)
            shared.submit(account, lambda name=name: log.note(name))
    assert sorted(log.ran, key=int) == [str(number) for number in range(len(tasks))]
