"""Who is at the other end of a connection, from the kernel alone (R12).

The socket option ``SO_PEERCRED`` names the process that connected, a pidfd holds on to it so that a
re-used pid is never taken for it, ``/proc/<pid>/cgroup`` names its container, and its namespaces
prove the host. Nothing that a container can write (host name, environment, marker files) is read.
"""

from __future__ import annotations

import errno
import functools
import os
import select
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from agenttower.rpc import cgroup
from agenttower.services.caller import Caller

SO_PEERPIDFD = 77
_CREDENTIALS = struct.Struct("3i")
_HOST_NAMESPACES = ("pid", "mnt")


class NotIdentified(Exception):
    """The kernel did not say enough; the text is for our log."""


@dataclass(slots=True)
class Peer:
    """The credentials of one connection, taken when it was accepted."""

    pid: int
    uid: int
    pidfd: int | None = None
    """Held from the start where the kernel cannot give it later (before Linux 6.5)."""

    @classmethod
    def of(cls, connection: socket.socket) -> Peer:
        """Read ``SO_PEERCRED``; pid 0 and uid -1 where the kernel offers none."""
        try:
            raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        except OSError:
            return cls(pid=0, uid=-1)
        pid, uid, _gid = _CREDENTIALS.unpack(raw)
        pidfd = None
        if pid > 0 and not kernel_gives_peer_pidfd():
            # A pid is handed out again only after the whole range went round, which takes far
            # longer than the moment between connect and accept.
            pidfd = _open_pidfd(pid)
        return cls(pid, uid, pidfd)

    def pin(self, connection: socket.socket) -> None:
        """Take hold of the process itself, before its ``/proc`` entry is read."""
        if self.pidfd is None and self.pid > 0 and kernel_gives_peer_pidfd():
            try:
                self.pidfd = connection.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD)
            except OSError:
                return  # gone already: stays unpinned, and so unknown

    def close(self) -> None:
        """Let go of the process. Safe to call twice."""
        pidfd, self.pidfd = self.pidfd, None
        if pidfd is not None:
            os.close(pidfd)


@functools.cache
def kernel_gives_peer_pidfd() -> bool:
    """Whether ``SO_PEERPIDFD`` (Linux 6.5) is there."""
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        try:
            os.close(one.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD))
        except OSError as error:
            return error.errno not in (errno.ENOPROTOOPT, errno.EOPNOTSUPP)
    return True


def identify(peer: Peer, resolve: cgroup.Resolve) -> Caller:
    """Tell host, bench and unknown apart. Never raises for what the peer is or does.

    :param peer: pinned beforehand; closed by the caller of this function.
    :param resolve: the container registry, id to full registered id or ``None``.
    :returns: ``host`` only where the process shares our PID and mount namespaces and its cgroups
        show no container; ``bench`` where its outermost container is registered.
    """
    try:
        container_id = _container_of(peer, resolve)
    except NotIdentified as unclear:
        return Caller("unknown", pid=peer.pid, uid=peer.uid, reason=str(unclear))
    if container_id is None:
        return Caller("host", pid=peer.pid, uid=peer.uid)
    return Caller("bench", container_id, pid=peer.pid, uid=peer.uid)


def _container_of(peer: Peer, resolve: cgroup.Resolve) -> str | None:
    if peer.pidfd is None:
        raise NotIdentified("the process is not visible from here, or has exited")
    process = Path("/proc") / str(peer.pid)
    try:
        theirs = cgroup.parse((process / "cgroup").read_text())
        ours = cgroup.parse(Path("/proc/self/cgroup").read_text())
    except (OSError, ValueError) as error:
        raise NotIdentified(f"its cgroups cannot be read: {error}") from error
    foreign = _foreign_namespace(process)
    # Exiting is one-way: a process that is alive now was the one whose files were read above.
    if not _alive(peer.pidfd):
        raise NotIdentified("the process has exited")
    verdict = cgroup.judge(theirs, ours, resolve)
    if verdict.unclear is not None:
        raise NotIdentified(verdict.unclear)
    if verdict.container_id is None and foreign is not None:
        raise NotIdentified(f"its cgroups name no container, but {foreign}")
    return verdict.container_id


def _foreign_namespace(process: Path) -> str | None:
    """How the process's namespaces differ from ours, or ``None`` where they are the same."""
    for kind in _HOST_NAMESPACES:
        try:
            same = os.readlink(process / "ns" / kind) == os.readlink(f"/proc/self/ns/{kind}")
        except OSError as error:
            return f"its {kind} namespace cannot be read ({error.strerror})"
        if not same:
            return f"its {kind} namespace is not the daemon's"
    return None


def _open_pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _alive(pidfd: int) -> bool:
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    return not poller.poll(0)
