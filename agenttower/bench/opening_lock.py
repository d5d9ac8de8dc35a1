"""Keeps a bench's tmux quiet while a control client is being opened.

Before 3.7, tmux counts a client as one in control mode some time before it has set up what it needs
to write to it. A notification in between, about any session, window or client, makes the server
write through a null pointer, and every pane of the bench ends with it (tmux pull request 4980;
3.3a and 3.5a die of it). What notifies: making and ending a session, moving a window's focus (so
splitting too, and killing the pane that has it), and the end of another attached client.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from agenttower.bench.interface import Deadline
from agenttower.errors import BenchTimeout
from agenttower.private import open_private_file, private_directory

_PAUSE_SECONDS = 0.001


class OpeningLock:
    """One bench's lock, between all threads and processes that name the same file.

    The kernel releases it with its holder. Any number may disturb at once; one may open, alone.
    Who wants to open holds the turnstile, which all pass, while he waits: however busy the bench
    is, he gets in when those have left who are in.

    :param path: a file of its own for each bench; made where missing. ``None`` locks nothing: for
        a bench on which nobody else has a handle.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._prepared = False

    def opening(self, deadline: Deadline) -> AbstractContextManager[None]:
        """Nobody disturbs within the context.

        :raises BenchTimeout: others did not finish by the deadline; nothing was sent.
        """
        return self._held(fcntl.LOCK_EX, deadline)

    def disturbing(self, deadline: Deadline) -> AbstractContextManager[None]:
        """Nobody opens within the context.

        :raises BenchTimeout: somebody did not get it open by the deadline; nothing was sent.
        """
        return self._held(fcntl.LOCK_SH, deadline)

    @contextmanager
    def _held(self, how: int, deadline: Deadline) -> Iterator[None]:
        if self._path is None:
            yield
            return
        if not self._prepared:
            private_directory(self._path.parent)
            self._prepared = True
        with _locked(self._path.with_suffix(".turnstile"), how, deadline):
            file = _take(self._path, how, deadline)
        try:
            yield
        finally:
            os.close(file)


@contextmanager
def _locked(path: Path, how: int, deadline: Deadline) -> Iterator[None]:
    file = _take(path, how, deadline)
    try:
        yield
    finally:
        os.close(file)


def _take(path: Path, how: int, deadline: Deadline) -> int:
    """The locked file; closing the descriptor releases it."""
    file = open_private_file(path)
    try:
        _lock(file, how, deadline)
    except BaseException:
        os.close(file)
        raise
    return file


def _lock(file: int, how: int, deadline: Deadline) -> None:
    """``flock`` knows no time-out, hence the pauses."""
    while True:
        try:
            return fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            left = deadline - time.monotonic()
        if left <= 0:
            raise BenchTimeout(
                "a connection to the bench's tmux was being opened or changed all the time; "
                "nothing was sent"
            )
        time.sleep(min(left, _PAUSE_SECONDS))
