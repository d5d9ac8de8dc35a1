"""Directories of mode 0700 and files of mode 0600 that are ours (legacy surfaces, section 1).

What is missing is made so; what exists with a wider mode is refused and left as it is, because
somebody may already have read or planted something there.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from agenttower.errors import StateRefused

DIRECTORY_MODE = 0o700
PASSABLE_MODE = 0o711
"""Others may pass through, not look: see :func:`private_directory`."""
FILE_MODE = 0o600


def private_directory(path: Path, *, passable: bool = False) -> None:
    """Make sure of a directory that only we can enter; missing parents are made 0700 too.

    :param passable: mode 0711 is as good: a log directory gets it where a bench user of another uid
        must reach his log through a mount (docs/decisions). The directory above stays 0700.

    :raises StateRefused: it cannot be made, is no directory, belongs to another user, or has
        another mode.
    """
    try:
        _make(path)
        status = path.stat()
    except OSError as error:
        raise StateRefused(
            f"directory {path} cannot be used: {error.strerror}; "
            "make it a directory of your own, or move what is in its place away"
        ) from error
    if not stat.S_ISDIR(status.st_mode):
        raise StateRefused(f"{path} is not a directory; move it away")
    passed = passable and status.st_mode & 0o777 == PASSABLE_MODE
    _check(path, status, PASSABLE_MODE if passed else DIRECTORY_MODE)


def open_private_file(path: Path) -> int:
    """Open a file for reading and writing that only we can open; made if missing.

    :returns: the descriptor; the caller closes it.
    :raises StateRefused: it cannot be opened, is a link or no regular file, belongs to another
        user, or has another mode.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        fd = os.open(path, flags, FILE_MODE)
    except OSError as error:
        raise StateRefused(f"{path} cannot be opened: {error.strerror}; move it away") from error
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise StateRefused(f"{path} is not a regular file; move it away")
        _check(path, status, FILE_MODE)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _make(path: Path) -> None:
    for directory in (*reversed(path.parents), path):
        if not directory.exists():
            # Not exist_ok on a chain: its parents would get the umask's mode.
            directory.mkdir(DIRECTORY_MODE, exist_ok=True)


def _check(path: Path, status: os.stat_result, wanted: int) -> None:
    if status.st_uid != os.geteuid():
        raise StateRefused(
            f"{path} belongs to uid {status.st_uid}, not to uid {os.geteuid()} who runs this; "
            "run as its owner, or move it away"
        )
    # Without set-group-id and sticky: what is made in such a directory gets them by itself.
    mode = status.st_mode & 0o777
    if mode != wanted:
        raise StateRefused(
            f"{path} has mode {mode:04o} and must have {wanted:04o}; look at what is in it, "
            f"then run: chmod {wanted:04o} {path}"
        )
