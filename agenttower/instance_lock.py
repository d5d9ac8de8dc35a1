"""One process of a kind per state directory: a lock file that the kernel releases at death."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agenttower.errors import AlreadyRunning
from agenttower.private import open_private_file


@contextmanager
def holding(path: Path, what: str) -> Iterator[int]:
    """Hold the lock at ``path`` for the block; gives its descriptor. Our pid stands in the file.

    :param what: what the holder is, in words: ``front end``, ``worker``.
    :raises AlreadyRunning: another process holds it (exit 2).
    :raises StateRefused: the file cannot be used as it is (exit 1).
    """
    fd = take(path, what)
    try:
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield fd
    finally:
        os.ftruncate(fd, 0)
        os.close(fd)


def take(path: Path, what: str) -> int:
    """The locked, emptied file; closing the descriptor releases the lock."""
    while True:
        fd = open_private_file(path)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(fd, path):
                os.ftruncate(fd, 0)
                return fd
        except BlockingIOError:
            holder = os.pread(fd, 32, 0).decode(errors="replace").strip()
            os.close(fd)
            who = f" (pid {holder})" if holder.isdecimal() else ""
            raise AlreadyRunning(
                f"another AgentTower {what}{who} uses {path.parent}; "
                "use it (see 'agenttower status'), or stop it first"
            ) from None
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # the file was replaced between opening and locking it: once more


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False
