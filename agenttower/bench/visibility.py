"""The proof that a path of the bench is a file of the host (legacy surfaces part 1, section 9.2).

Only resolved paths count. Below the mount no link is followed at all: an absolute one means one
file here and another in the bench, and the bench can put a link there at any time. So whoever opens
the file must go the same way again, which :func:`opened` does.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from agenttower.bench.interface import BenchInfo, Mount
from agenttower.domain import logpaths
from agenttower.domain.logpaths import MountedAt
from agenttower.errors import LogNotVisible, LogPathInvalid

MAX_LINKS = 8
_WALK = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Proven:
    """A log as both sides see it. ``root`` is the resolved source of the mount that shows it."""

    host_path: Path
    bench_path: str
    root: Path


class LinkInTheWay(OSError):
    """A part of the path is a link, or no directory."""


def prove(info: BenchInfo, wanted: str, forbidden: Sequence[Path], allowed: Path) -> Proven:
    """Find the host's name of a path that the bench is to write.

    :param wanted: the path as the bench sees it.
    :param forbidden: directories of ours, in which no log may be.
    :param allowed: the one in them that may hold this agent's log.
    :raises LogPathInvalid: no log may be there.
    :raises LogNotVisible: the host does not see the file, or the bench may not write it.
    """
    fault = logpaths.fault_of(wanted)
    if fault is not None:
        raise LogPathInvalid(f"log_path {fault}; it was {wanted[:200]!r}")
    normal = str(PurePosixPath(wanted))
    root, host_path = _host_path(info, normal)
    _refuse_ours(host_path, forbidden, allowed)
    fault = logpaths.fault_of_place(str(host_path))
    if fault is not None:
        raise LogPathInvalid(f"log_path {fault} of the host; it is {host_path} there")
    _look_at(root, host_path, wanted)
    return Proven(host_path, normal, root)


def resolve_links(path: str, most: int = MAX_LINKS) -> Path:
    """``path`` with every link followed, at most ``most`` of them.

    :raises OSError: there are more, as in a circle, or a link cannot be read.
    """
    left = list(reversed(PurePosixPath(path).parts))
    current = Path("/")
    while left:
        part = left.pop()
        if part == "/":
            current = Path("/")
        elif part == "..":
            current = current.parent
        elif (current / part).is_symlink():
            most -= 1
            if most < 0:
                raise LinkInTheWay(0, "too many links")
            left += reversed(PurePosixPath(os.readlink(current / part)).parts)
        else:
            current = current / part
    return current


@contextmanager
def directory_of(path: Path, root: Path) -> Iterator[int]:
    """The directory that a file is in, entered from ``root`` without following a link.

    :raises LinkInTheWay: a link is in the way.
    :raises OSError: a directory is missing, or may not be entered.
    """
    directory = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in path.parent.relative_to(root).parts:
            below = _entered(directory, part, path)
            os.close(directory)
            directory = below
        yield directory
    finally:
        os.close(directory)


@contextmanager
def opened(path: Path, root: Path, flags: int = os.O_RDONLY) -> Iterator[int]:
    """A log of the host, if it is a plain file that no link leads to.

    :raises FileNotFoundError: it, or a directory on the way, is not there.
    :raises LinkInTheWay: something else is in its place.
    :raises OSError: it may not be opened.
    """
    with directory_of(path, root) as directory:
        try:
            file = os.open(
                path.name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory
            )
        except OSError as error:
            if error.errno is not None and stat_is_link(directory, path.name):
                raise LinkInTheWay(error.errno, f"{path} is a link") from error
            raise
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise LinkInTheWay(0, f"{path} is not a plain file")
            yield file
        finally:
            os.close(file)


def stat_is_link(directory: int, name: str) -> bool:
    """Whether a name in an open directory is a link."""
    try:
        return stat.S_ISLNK(os.lstat(name, dir_fd=directory).st_mode)
    except OSError:
        return False


def _entered(directory: int, part: str, path: Path) -> int:
    try:
        return os.open(part, _WALK, dir_fd=directory)
    except NotADirectoryError as error:
        raise LinkInTheWay(error.errno, f"{part!r} in {path} is a link or no directory") from error


def _host_path(info: BenchInfo, normal: str) -> tuple[Path, Path]:
    if info.provider == "local":
        parent = Path(normal).parent
        resolved = parent.resolve() / Path(normal).name
        if str(resolved) != normal:
            raise LogNotVisible(f"{normal} goes through a link; use {resolved} instead")
        return Path("/"), resolved
    if len(info.mounts) > logpaths.MAX_MOUNTS:
        raise TooManyMounts(info.name, len(info.mounts))
    mount = logpaths.mount_of([_plain(mount) for mount in info.mounts], normal)
    if mount is None or not logpaths.shows_the_host(mount):
        raise LogNotVisible(
            f"{normal} is on no mount of container {info.name} that the host sees; mount a "
            "directory there (-v), or use one of those that 'agenttower container list' shows"
        )
    if not mount.rw:
        raise LogNotVisible(
            f"{normal} is on the mount {mount.target} of container {info.name}, which is "
            "read-only; mount it for writing, or choose another path"
        )
    try:
        root = resolve_links(mount.source)
    except OSError as error:
        raise LogNotVisible(
            f"the source {mount.source} of the mount {mount.target} cannot be followed: "
            f"{error.strerror}"
        ) from error
    rest = PurePosixPath(normal).relative_to(PurePosixPath(mount.target))
    if not rest.parts:
        raise LogPathInvalid(f"log_path must name a file; {normal} is a mount itself")
    return root, root / rest


def _refuse_ours(host_path: Path, forbidden: Sequence[Path], allowed: Path) -> None:
    if host_path.is_relative_to(allowed.resolve()) and host_path != allowed.resolve():
        return
    for directory in forbidden:
        if host_path.is_relative_to(directory) or host_path.is_relative_to(directory.resolve()):
            raise LogPathInvalid(
                f"log_path must not be in a directory of AgentTower's own: it is {host_path} on "
                "the host; leave log_path out for the usual place"
            )


def _look_at(root: Path, host_path: Path, wanted: str) -> None:
    """What is there must be a plain file that we could write, or nothing at all yet."""
    try:
        with directory_of(host_path, root) as directory:
            _refuse_unwritable(directory, wanted)
            kind = stat.S_IFMT(os.lstat(host_path.name, dir_fd=directory).st_mode)
    except FileNotFoundError:
        if not root.is_dir():
            raise LogNotVisible(f"{root}, which {wanted} is on, is not there any more") from None
        if not os.access(root, os.W_OK):
            raise LogNotVisible(f"{root}, which {wanted} is on, may not be written") from None
        return
    except LinkInTheWay as error:
        raise LogNotVisible(f"{error.strerror}: give the path without links") from error
    except OSError as error:
        raise LogNotVisible(f"{host_path} cannot be looked at: {error.strerror}") from error
    if kind == stat.S_IFDIR:
        raise LogPathInvalid(f"log_path must name a file; {wanted} is a directory")
    if kind != stat.S_IFREG:
        raise LogNotVisible(f"{wanted} is no plain file (a link?); choose another path")


def _refuse_unwritable(directory: int, wanted: str) -> None:
    if not os.access(f"/proc/self/fd/{directory}", os.W_OK):
        raise LogNotVisible(f"the directory of {wanted} may not be written from the host")


def _plain(mount: Mount) -> MountedAt:
    return MountedAt(mount.source, mount.target, mount.type, mount.rw)


class TooManyMounts(LogNotVisible):
    """More mounts than are ever looked through (legacy surfaces part 1, section 9.2)."""

    def __init__(self, name: str, count: int) -> None:
        super().__init__(
            f"container {name} has {count} mounts, and no more than {logpaths.MAX_MOUNTS} are "
            "looked through; start it with fewer"
        )
        self.count = count
