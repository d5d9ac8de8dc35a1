"""Files for logs at places that somebody chose: made, handed over, and proven to be written.

What exists keeps its owner, mode and content; only what is made here is given to the bench user.
Everything below the mount's source is entered without following a link, since the bench may put one
there between two looks.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agenttower.bench.interface import Deadline
from agenttower.bench.logfiles import UNTOUCHED, require_space
from agenttower.bench.visibility import LinkInTheWay, Proven, directory_of, opened
from agenttower.errors import LogNotVisible

_PAUSE_S = 0.02


def make_file(place: Proven, bench_uid: int) -> None:
    """Make the file (0600) and missing directories (0700), so that the bench user can write it.

    :raises LogNotVisible: it cannot be made, or the bench user could not write what was made.
    """
    try:
        _make_directories(place, bench_uid)
        with directory_of(place.host_path, place.root) as directory:
            require_space(Path(f"/proc/self/fd/{directory}"))
            _make_file(directory, place.host_path.name, bench_uid)
    except OSError as error:
        raise _cannot(place.host_path, error) from error


@contextmanager
def watched(place: Proven) -> Iterator[None]:
    """Give the file a modification time by which :func:`wait_until_opened` knows a pipe's touch.

    Where the block fails, the file gets its own time back.
    """
    try:
        with opened(place.host_path, place.root, os.O_WRONLY) as file:
            before = os.fstat(file)
            os.utime(file, ns=(before.st_atime_ns, UNTOUCHED))
            try:
                yield
            except BaseException:
                if os.fstat(file).st_mtime_ns == UNTOUCHED and before.st_size:
                    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
                raise
    except OSError as error:
        raise _cannot(place.host_path, error) from error


def wait_until_opened(place: Proven, deadline: Deadline) -> None:
    """Wait until the pane's pipe has opened this very file.

    :raises LogNotVisible: it has not by the deadline: the bench has another file at that path.
    """
    while True:
        try:
            with opened(place.host_path, place.root) as file:
                if os.fstat(file).st_mtime_ns != UNTOUCHED:
                    return
        except OSError as error:
            raise _cannot(place.host_path, error) from error
        if time.monotonic() >= deadline:
            raise LogNotVisible(
                f"what the bench writes to {place.bench_path} does not reach {place.host_path}; "
                "is something else mounted there, or is the bench out of breath?"
            )
        time.sleep(_PAUSE_S)


def root_of(path: Path, logs_dir: Path) -> Path:
    """From where a stored log path is entered without links: our own directory is as it is, and
    others were resolved when they were stored."""
    return logs_dir if path.is_relative_to(logs_dir) else Path("/")


def _make_directories(place: Proven, bench_uid: int) -> None:
    at = os.open(place.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in place.host_path.parent.relative_to(place.root).parts:
            below = _enter_or_make(at, part, bench_uid)
            os.close(at)
            at = below
    finally:
        os.close(at)


def _enter_or_make(at: int, part: str, bench_uid: int) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        os.mkdir(part, 0o700, dir_fd=at)
    except FileExistsError:
        try:
            return os.open(part, os.O_PATH | flags, dir_fd=at)
        except NotADirectoryError as error:
            raise LinkInTheWay(error.errno, f"{part!r} is a link or no directory") from error
    made = os.open(part, flags, dir_fd=at)
    _hand_over(made, part, bench_uid)
    return made


def _make_file(directory: int, name: str, bench_uid: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        file = os.open(name, flags, 0o600, dir_fd=directory)
    except FileExistsError:
        if not stat.S_ISREG(os.lstat(name, dir_fd=directory).st_mode):
            raise LinkInTheWay(0, "something that is not a plain file is there") from None
        return
    try:
        _hand_over(file, name, bench_uid)
    finally:
        os.close(file)


def _hand_over(file: int, name: str, bench_uid: int) -> None:
    if bench_uid in (0, os.geteuid()):
        return
    if os.geteuid() != 0:
        raise LogNotVisible(
            f"{name} would belong to uid {os.geteuid()} and the bench user is uid {bench_uid}, "
            "who could not write it; run AgentTower as that uid, or make a file of his there"
        )
    os.fchown(file, bench_uid, -1)


def _cannot(path: Path, error: OSError) -> LogNotVisible:
    return LogNotVisible(f"the log {path} cannot be used: {error.strerror}; choose another path")
