"""Log files of panes, seen from both sides of a mount.

tmux in the bench writes a pane's log; the host reads it. The host makes the file and hands it to
the bench user; the pipe's first act in the bench is to ``touch`` it. A file that still has the
modification time :data:`UNTOUCHED` has not been opened from the bench: it is not mounted where we
think, or may not be written there (tmux itself reports success in both cases).
"""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path, PurePosixPath

from agenttower.bench.interface import BenchInfo, Deadline, Mount
from agenttower.errors import LogNotVisible, LogTimeout
from agenttower.private import DIRECTORY_MODE, PASSABLE_MODE

UNTOUCHED = 0
"""The modification time, in nanoseconds, that a fresh log file is given."""

_LEAST_BYTES = 4096

_FIRST_WAIT_SECONDS = 0.002
_LONGEST_WAIT_SECONDS = 0.05


def bench_path(info: BenchInfo, host_path: Path) -> str:
    """The name a log file of the host has in the bench: by the longest mount source that holds it.

    Links in the path's directories and in the sources are followed first.

    :raises LogNotVisible: no writable mount holds it, and the message names the directory to
        mount; or tmux could not take the path.
    """
    resolved = host_path.parent.resolve() / host_path.name
    if info.provider == "local":
        return _accepted(str(resolved))
    source, mount = _mount_of(info, resolved) or (None, None)
    if source is None or mount is None or not mount.rw:
        directory = host_path.parent.parent
        raise LogNotVisible(
            f"the log directory {directory} is not mounted"
            f"{' for writing' if mount else ''} in container {info.name}; "
            f"start the container with -v {directory}:{directory}"
        )
    return _accepted(str(PurePosixPath(mount.target) / resolved.relative_to(source)))


def prepare_log(info: BenchInfo, host_path: Path, bench_uid: int) -> None:
    """Make the file (0600) and its directory (0700), so that the bench user can write the file.

    A file that exists is kept with what it holds. Modes of what exists are never widened.

    :raises LogNotVisible: the bench user could not reach or write the file, something else is in
        its place, or the disk is full.
    """
    prepare_directory(host_path.parent, bench_uid)
    require_space(host_path.parent)
    try:
        file = _open_or_make(host_path)
        try:
            _hand_over(file, host_path, bench_uid)
        finally:
            os.close(file)
    except OSError as error:
        raise _cannot_make(host_path, error) from error
    _require_way_in(info, host_path, bench_uid)


def prepare_directory(directory: Path, bench_uid: int) -> None:
    """Make the directory of a container's logs (0700), for the bench user to write in.

    :raises LogNotVisible: it cannot be made, or the bench user could not write in it.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _hand_over(file, directory, bench_uid)
        finally:
            os.close(file)
    except OSError as error:
        raise _cannot_make(directory, error) from error


def require_space(directory: Path) -> None:
    """See whether a log in the directory could grow.

    :raises LogNotVisible: the disk is full: tmux would pipe the pane all the same, and the log
        would miss its output.
    """
    try:
        disk = os.statvfs(directory)
    except OSError as error:
        raise _cannot_make(directory, error) from error
    if disk.f_blocks and disk.f_bavail * disk.f_frsize < _LEAST_BYTES:
        raise LogNotVisible(
            f"the log directory {directory} is full; free some space on its disk, "
            "e.g. remove old logs"
        )


def log_is_proven(host_path: Path) -> bool:
    """Whether the pane's pipe has opened this very file; ``False`` where there is none.

    :raises LogNotVisible: something that is not a plain file is in its place.
    """
    try:
        file = _open_regular(host_path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise LogNotVisible(
            f"the log {host_path} was replaced ({error.strerror}); "
            "recreate the pane to get a new one"
        ) from error
    try:
        status = os.fstat(file)
    finally:
        os.close(file)
    return status.st_size > 0 or status.st_mtime_ns != UNTOUCHED


def wait_for_log(host_path: Path, deadline: Deadline) -> None:
    """Wait until the pane's pipe has opened the file.

    :raises LogTimeout: it has not by the deadline.
    :raises LogNotVisible: something that is not a plain file is in its place.
    """
    pause = _FIRST_WAIT_SECONDS
    while not log_is_proven(host_path):
        left = deadline - time.monotonic()
        if left <= 0:
            raise LogTimeout(
                f"nothing in the bench opened the log {host_path}; "
                f"see whether {host_path.parent} is mounted there and writable"
            )
        time.sleep(min(pause, left))
        pause = min(pause * 2, _LONGEST_WAIT_SECONDS)


def _mount_of(info: BenchInfo, resolved: Path) -> tuple[Path, Mount] | None:
    """The mount that shows ``resolved`` to the bench, with its source resolved."""
    candidates = [
        (Path(mount.source).resolve(), mount)
        for mount in info.mounts
        if mount.type in ("bind", "volume")
        and os.path.isabs(mount.source)
        and os.path.isabs(mount.target)
    ]
    holding = [pair for pair in candidates if resolved.is_relative_to(pair[0])]
    return max(holding, key=lambda pair: len(pair[0].parts), default=None)


def _accepted(path: str) -> str:
    for character in "#%":
        if character in path:
            raise LogNotVisible(
                f"the log path {path!r} holds {character!r}, which tmux would expand; "
                "choose another state directory or mount target"
            )
    return path


def _open_or_make(path: Path) -> int:
    # By the directory that stands there now: a bench that is root may swap it for a link.
    way = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    directory = os.open(path.parent, way)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            file = os.open(path.name, flags, 0o600, dir_fd=directory)
        except FileExistsError:
            return _open_regular(path.name, os.O_WRONLY, directory)
    finally:
        os.close(directory)
    os.utime(file, ns=(UNTOUCHED, UNTOUCHED))
    return file


def _open_regular(path: Path | str, flags: int, directory: int | None = None) -> int:
    """Open what must be a plain file. The bench may write the directory, and so may have put a
    link, a device or a FIFO there: never followed, never waited for."""
    flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    file = os.open(path, flags, dir_fd=directory)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(0, "not a plain file")
    return file


def _hand_over(file: int, path: Path, bench_uid: int) -> None:
    """Give a file or directory to the bench user, where that is needed and possible."""
    owner = os.fstat(file).st_uid
    if bench_uid in (0, owner):
        return  # Root in the bench may write what is ours.
    if os.geteuid() != 0:
        raise LogNotVisible(
            f"{path} belongs to uid {owner} and the bench user is uid {bench_uid}, who cannot "
            "write it; run AgentTower as that uid, or the container as root"
        )
    os.fchown(file, bench_uid, -1)


def _require_way_in(info: BenchInfo, host_path: Path, bench_uid: int) -> None:
    """The bench user must be able to enter every directory from the mount down to the file."""
    resolved = host_path.parent.resolve() / host_path.name
    mounted = _mount_of(info, resolved)
    if mounted is None or bench_uid == 0:
        return
    for directory in resolved.parents:
        status = directory.stat()
        bit = stat.S_IXUSR if status.st_uid == bench_uid else stat.S_IXOTH
        if not status.st_mode & bit and directory == host_path.parent.parent.resolve():
            status = _open_passage(directory, status)
        if not status.st_mode & bit:
            raise LogNotVisible(
                f"the bench user (uid {bench_uid}) may not enter {directory} (mode "
                f"{stat.S_IMODE(status.st_mode):o}, uid {status.st_uid}); "
                "run AgentTower as that uid, or the container as root"
            )
        if directory == mounted[0]:
            return


def _open_passage(directory: Path, status: os.stat_result) -> os.stat_result:
    """Let a bench user of another uid through our log directory to his own; 0700 stands above it.

    Only root can hand the directory below over to another uid, so only root comes here in need.
    """
    if os.geteuid() == 0 == status.st_uid and status.st_mode & 0o777 == DIRECTORY_MODE:
        directory.chmod(PASSABLE_MODE)
        return directory.stat()
    return status


def _cannot_make(path: Path, error: OSError) -> LogNotVisible:
    return LogNotVisible(
        f"{path} cannot be made: {error.strerror}; see to its directory, or choose another "
        "state directory"
    )
