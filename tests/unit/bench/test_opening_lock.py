"""One opens, or many disturb; whoever holds it, in whatever process, and however he ends."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agenttower.bench.opening_lock import OpeningLock
from agenttower.errors import BenchTimeout
from tests.support.waiting import wait_until

HOLDER = """
import sys, time
from pathlib import Path
from agenttower.bench.opening_lock import OpeningLock
with getattr(OpeningLock(Path(sys.argv[1])), sys.argv[2])(time.monotonic() + 20):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "locks" / "bench"


@contextmanager
def another_process(path: Path, how: str) -> Iterator[subprocess.Popen[bytes]]:
    """Holds the lock until the end of the context."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"held\n"
            yield process
        finally:
            process.kill()


def is_free(path: Path, how: str) -> bool:
    try:
        with getattr(OpeningLock(path), how)(time.monotonic()):
            return True
    except BenchTimeout:
        return False


@pytest.mark.parametrize(
    ("held", "opening", "disturbing"), [("opening", False, False), ("disturbing", False, True)]
)
def test_who_may_enter(path: Path, held: str, opening: bool, disturbing: bool) -> None:
    lock = OpeningLock(path)
    with getattr(lock, held)(time.monotonic() + 5):
        assert is_free(path, "opening") is opening
        assert is_free(path, "disturbing") is disturbing
    with another_process(path, held):
        assert is_free(path, "opening") is opening
        assert is_free(path, "disturbing") is disturbing
    assert is_free(path, "opening")


def test_a_holder_that_is_killed_lets_go(path: Path) -> None:
    with another_process(path, "opening") as process:
        os.kill(process.pid, signal.SIGKILL)
        wait_until(lambda: is_free(path, "disturbing"), 10, "the kernel to release it")


def test_who_wants_to_open_gets_in_however_busy_the_bench_is(path: Path) -> None:
    """Four at it in turns: somebody is always in."""
    stop = threading.Event()

    def create_panes() -> None:
        while not stop.is_set():
            with OpeningLock(path).disturbing(time.monotonic() + 5):
                time.sleep(0.003)

    busy = [threading.Thread(target=create_panes) for _ in range(4)]
    for thread in busy:
        thread.start()
    try:
        for _ in range(5):
            with OpeningLock(path).opening(time.monotonic() + 10):
                pass
    finally:
        stop.set()
        for thread in busy:
            thread.join()


def test_who_comes_too_late_is_told_that_nothing_was_sent(path: Path) -> None:
    with (
        OpeningLock(path).disturbing(time.monotonic() + 5),
        pytest.raises(BenchTimeout, match="nothing was sent"),
        OpeningLock(path).opening(time.monotonic() + 0.05),
    ):
        pass


def test_an_error_inside_lets_go(path: Path) -> None:
    with pytest.raises(KeyError), OpeningLock(path).opening(time.monotonic() + 5):
        raise KeyError
    assert is_free(path, "opening")


def test_the_file_is_private(path: Path) -> None:
    assert is_free(path, "opening")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_no_path_locks_nothing() -> None:
    lock = OpeningLock(None)
    with lock.opening(time.monotonic()), lock.opening(time.monotonic()):
        pass
