"""Files for logs at places that somebody chose: made, handed over, and proven to be written.

What exists keeps its owner, mode and content; only what is made here is given to the bench user.
Everything below the mount's source is entered without following a link, since the bench may put one
there between two looks.
"""

from __future__ import annotations

import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from agenttower.bench.interface import Deadline
from agenttower.bench.logfiles import UNTOUCHED, require_space
from agenttower.bench.visibility import LinkInTheWay, Proven, directory_of, opened
from agenttower.errors import LogNotVisible

_PAUSE_S = 0.02
_WALK = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Maker:
    """For whom files are made. Who is not ``trusted`` gets none where he could make none himself:
    a bench must not have the daemon put files of its user into any directory of a mount."""

    bench_uid: int
    trusted: bool = True


def make_file(place: Proven, maker: Maker) -> None:
    """Make the file (0600) and missing directories (0700), so that the bench user can write it.

    :raises LogNotVisible: it cannot be made, or the bench user could not write what was made.
    """
    try:
        _make_directories(place, maker)
        with directory_of(place.host_path, place.root) as directory:
            require_space(Path(f"/proc/self/fd/{directory}"))
            _make_file(directory, place.host_path.name, maker)
    except OSError as error:
        raise _cannot(place.host_path, error) from error


@contextmanager
def watched(place: Proven) -> Iterator[int]:
    """Gives the modification time that the file has until the pane's pipe touches it.

    That is :data:`UNTOUCHED` where we may set it; else what it is, which a touch changes just so.
    Where the block fails, the file gets its own time back.
    """
    try:
        with opened(place.host_path, place.root) as file:
            before = os.fstat(file)
            mark = before.st_mtime_ns
            with suppress(PermissionError):
                os.utime(file, ns=(before.st_atime_ns, UNTOUCHED))
                mark = UNTOUCHED
            try:
                yield mark
            except BaseException:
                if os.fstat(file).st_mtime_ns == mark == UNTOUCHED:
                    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
                raise
    except OSError as error:
        raise _cannot(place.host_path, error) from error


def wait_until_touched(place: Proven, mark: int, deadline: Deadline) -> None:
    """Wait until the pane's pipe has opened this very file.

    :param mark: as :func:`watched` gives it.
    :raises LogNotVisible: it has not by the deadline: the bench has another file at that path.
    """
    while True:
        try:
            with opened(place.host_path, place.root) as file:
                if os.fstat(file).st_mtime_ns != mark:
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


def _make_directories(place: Proven, maker: Maker) -> None:
    at = os.open(place.root, _WALK & ~os.O_NOFOLLOW)
    try:
        for part in place.host_path.parent.relative_to(place.root).parts:
            below = _enter_or_make(at, part, maker)
            os.close(at)
            at = below
    finally:
        os.close(at)


def _enter_or_make(at: int, part: str, maker: Maker) -> int:
    try:
        return os.open(part, _WALK, dir_fd=at)
    except FileNotFoundError:
        _require_right(at, part, maker)
    except NotADirectoryError as error:
        raise LinkInTheWay(error.errno, f"{part!r} is a link or no directory") from error
    # Under another name until it is the bench user's: who dies in between leaves nothing half done.
    made = _passing_name()
    os.mkdir(made, 0o700, dir_fd=at)
    try:
        _hand_over(at, made, part, maker)
        os.rename(made, part, src_dir_fd=at, dst_dir_fd=at)
    except BaseException:
        os.rmdir(made, dir_fd=at)
        raise
    return os.open(part, _WALK, dir_fd=at)


def _make_file(directory: int, name: str, maker: Maker) -> None:
    try:
        if not stat.S_ISREG(os.lstat(name, dir_fd=directory).st_mode):
            raise LinkInTheWay(0, "something that is not a plain file is there")
        return
    except FileNotFoundError:
        _require_right(directory, name, maker)
    made = _passing_name()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    os.close(os.open(made, flags, 0o600, dir_fd=directory))
    try:
        _hand_over(directory, made, name, maker)
        _name_it(directory, made, name)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(made, dir_fd=directory)


def _name_it(directory: int, made: str, name: str) -> None:
    """Give a file its name, unless somebody was as fast: then the proof will tell what his is."""
    try:
        os.link(made, name, src_dir_fd=directory, dst_dir_fd=directory)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        os.rename(made, name, src_dir_fd=directory, dst_dir_fd=directory)


def _passing_name() -> str:
    return f".agenttower-{secrets.token_hex(8)}"


def _require_right(directory: int, name: str, maker: Maker) -> None:
    if not maker.trusted and not _may_write(os.fstat(directory), maker):
        raise LogNotVisible(
            f"the bench user (uid {maker.bench_uid}) may not make {name} there himself; ask for it "
            "on the host, or make the file first"
        )


def _may_write(status: os.stat_result, maker: Maker) -> bool:
    bit = stat.S_IWUSR if status.st_uid == maker.bench_uid else stat.S_IWOTH
    return maker.bench_uid == 0 or bool(status.st_mode & bit)


def _hand_over(directory: int, made: str, name: str, maker: Maker) -> None:
    if maker.bench_uid in (0, os.geteuid()):
        return
    if os.geteuid() != 0:
        raise LogNotVisible(
            f"{name} would belong to uid {os.geteuid()} and the bench user is uid "
            f"{maker.bench_uid}, who could not write it; run AgentTower as that uid, or make a "
            "file of his there"
        )
    os.chown(made, maker.bench_uid, -1, dir_fd=directory, follow_symlinks=False)


def _cannot(path: Path, error: OSError) -> LogNotVisible:
    return LogNotVisible(f"the log {path} cannot be used: {error.strerror}; choose another path")
