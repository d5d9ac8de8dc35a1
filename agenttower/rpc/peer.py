"""Who is at the other end of a connection, from the kernel alone (R12).

The socket option ``SO_PEERCRED`` names the process that connected, a pidfd holds on to it so that a
re-used pid is never taken for it, ``/proc/<pid>/cgroup`` names its container, and its namespaces
prove the host. Nothing that a container can write (host name, environment, marker files) is read.

All of that is looked at once, when the connection is accepted. When a request has come in, the
process must still be there: a connection that outlived the process that made it is nobody's.
"""

from __future__ import annotations

import errno
import functools
import os
import select
import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from agenttower.rpc import cgroup
from agenttower.services.caller import Caller, CallerKind
from agenttower.settings import HostRule

SO_PEERPIDFD = 77
_CREDENTIALS = struct.Struct("3i")
_HOST_NAMESPACES: dict[HostRule, tuple[str, ...]] = {
    "same_namespaces": ("pid", "mnt"),
    "same_pid_namespace": ("pid",),
}
_FORKS_PER_S = 100_000
"""More than any machine makes: how fast the pids could go round."""
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_START_TIME = 19
"""Field of ``/proc/PID/stat`` after the command's name: ticks since boot."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What the kernel showed of a process: the containers it is in, and how it differs from us."""

    chains: cgroup.Chains = frozenset()
    unclear: str | None = None
    """Why it is not the host, where its cgroups name no container."""

    @property
    def kind(self) -> CallerKind:
        """What it can be at best; whether its container is registered is not known yet."""
        if self.chains:
            return "bench"
        return "host" if self.unclear is None else "unknown"


@dataclass(slots=True)
class Peer:
    """The process that made one connection, as it was when the connection was accepted."""

    pid: int
    uid: int
    sight: Sight
    pidfd: int | None = None
    """Held from the start where the kernel cannot give it later (before Linux 6.5)."""

    @classmethod
    def of(
        cls,
        connection: socket.socket,
        *,
        rule: HostRule = "same_namespaces",
        quiet_at: float = 0.0,
    ) -> Peer:
        """Look at the process at the other end; pid 0 and uid -1 where the kernel tells none.

        :param quiet_at: ``time.clock_gettime(CLOCK_BOOTTIME)`` seconds when nobody waited to be
            accepted, so that this connection was made later.
        """
        pid, uid = credentials(connection)
        if pid <= 0:
            return cls(pid, uid, Sight(unclear="the process is not visible from here"))
        gives = kernel_gives_peer_pidfd()
        pidfd = _peer_pidfd(connection) if gives else _open_pidfd(pid)
        peer = cls(pid, uid, _sight(pid, pidfd, rule), pidfd)
        if not gives and may_be_another(pid, quiet_at):
            peer.sight = Sight(unclear="another process may have its pid by now")
        if gives:
            peer.close()
        return peer

    @property
    def key(self) -> str:
        """Whom the limits count it as: its container, its own process on the host, or nobody."""
        match self.sight.kind:
            case "host":
                return f"process {self.pid}"
            case "bench":
                return f"container {min(chain[0] for chain in self.sight.chains)[:64]}"
            case _:
                return "unknown"

    def is_there(self, connection: socket.socket) -> bool:
        """Whether the very process that connected is still alive."""
        if not kernel_gives_peer_pidfd():
            return self.pidfd is not None and _alive(self.pidfd)
        pidfd = _peer_pidfd(connection)
        if pidfd is None:
            return False
        try:
            return _alive(pidfd)
        finally:
            os.close(pidfd)

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


def identify(peer: Peer, resolve: cgroup.Resolve, *, is_there: bool) -> Caller:
    """Tell host, bench and unknown apart. Never raises for what the peer is or does.

    :param resolve: the container registry, id to full registered id or ``None``.
    :param is_there: whether the process was alive when its request had come in.
    :returns: ``host`` only where the process proved it by its namespaces and its cgroups show no
        container; ``bench`` where its outermost container is registered.
    """
    container_id, unclear = None, peer.sight.unclear
    if peer.sight.chains:
        verdict = cgroup.judge(peer.sight.chains, resolve)
        container_id, unclear = verdict.container_id, verdict.unclear
    if not is_there:
        unclear = "the process has exited"
    if unclear is not None:
        return Caller("unknown", pid=peer.pid, uid=peer.uid, reason=unclear)
    return Caller(peer.sight.kind, container_id, pid=peer.pid, uid=peer.uid)


def may_be_another(pid: int, quiet_at: float) -> bool:
    """Before Linux 6.5: whether a pid may have been used again between connect and accept.

    Not if the process that has it now was there before the connection was made. A younger one may
    be the client itself, just started: it is believed as long as the pids cannot have gone round.

    :param quiet_at: as for :meth:`Peer.of`.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        round_s = int(Path("/proc/sys/kernel/pid_max").read_text()) / _FORKS_PER_S
        started_at = int(stat.rpartition(") ")[2].split()[_START_TIME]) / _TICKS_PER_S
    except (OSError, ValueError, IndexError):
        return True
    return started_at >= quiet_at and time.clock_gettime(time.CLOCK_BOOTTIME) - quiet_at >= round_s


def credentials(connection: socket.socket) -> tuple[int, int]:
    """pid and uid of the process that connected; 0 and -1 where the kernel does not tell."""
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    except OSError:
        return 0, -1
    pid, uid, _gid = _CREDENTIALS.unpack(raw)
    return pid, uid


def _sight(pid: int, pidfd: int | None, rule: HostRule) -> Sight:
    """Read ``/proc`` of a pinned process. Done for every connection, so written to be cheap."""
    process = f"/proc/{pid}"
    try:
        chains = _chains(_contents(f"{process}/cgroup"), _contents("/proc/self/cgroup"))
    except (OSError, ValueError) as error:
        return Sight(unclear=f"its cgroups cannot be read: {error}")
    foreign = None if chains else _foreign_namespace(process, rule)
    # Exiting is one-way: a process that is alive now was the one whose files were read above.
    if pidfd is None or not _alive(pidfd):
        return Sight(unclear="the process has exited")
    unclear = None if foreign is None else f"its cgroups name no container, but {foreign}"
    return Sight(chains, unclear)


@functools.lru_cache(maxsize=1024)
def _chains(theirs: bytes, ours: bytes) -> cgroup.Chains:
    """Texts are the same for all processes of a container, so they are seldom parsed."""
    return cgroup.chains(
        cgroup.parse(theirs.decode(errors="surrogateescape")),
        cgroup.parse(ours.decode(errors="surrogateescape")),
    )


def _contents(path: str) -> bytes:
    """A small file of ``/proc``, exactly as the kernel writes it."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        found = bytearray()
        while chunk := os.read(fd, 65536):
            found += chunk
        return bytes(found)
    finally:
        os.close(fd)


def _foreign_namespace(process: str, rule: HostRule) -> str | None:
    """How the process's namespaces differ from ours, or ``None`` where they are the same."""
    for kind in _HOST_NAMESPACES[rule]:
        try:
            same = os.readlink(f"{process}/ns/{kind}") == _own_namespace(kind)
        except OSError as error:
            return f"its {kind} namespace cannot be read ({error.strerror})"
        if not same:
            return f"its {kind} namespace is not the daemon's"
    return None


@functools.cache
def _own_namespace(kind: str) -> str:
    """Ours never changes: we enter none."""
    return os.readlink(f"/proc/self/ns/{kind}")


def _peer_pidfd(connection: socket.socket) -> int | None:
    try:
        return connection.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD)
    except OSError:
        return None  # gone already


def _open_pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _alive(pidfd: int) -> bool:
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    return not poller.poll(0)
