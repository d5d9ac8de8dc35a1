"""What the front end allows its clients, and itself.

A *peer* is what the limits count: one process of the host, or one whole container, which may have
as many processes as it likes. All peers that cannot be told from one another are one peer.
"""

from __future__ import annotations

import resource
from dataclasses import dataclass, replace

from agenttower.services.caller import CallerKind

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Share:
    """What one peer may have at once."""

    connections: int
    running: int
    """Requests that hold a thread."""
    queued: int
    """Requests that wait for one."""
    parked: int
    """Requests that wait for a change without holding a thread; more are answered at once."""
    held_bytes: int
    """Of long requests and long answers. A single one always fits."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds. The defaults are the product's; tests shorten the times."""

    connections: int = 1024
    """Open at once; more wait in the kernel's queue."""
    parked: int = 512
    """Requests that wait for a change, of all peers."""
    threads: int = 16
    """Handlers that run at once."""
    host: Share = Share(connections=512, running=12, queued=512, parked=384, held_bytes=64 * MIB)
    """For one process of the host."""
    bench: Share = Share(connections=128, running=4, queued=64, parked=64, held_bytes=16 * MIB)
    """For one container."""
    unknown: Share = Share(connections=32, running=2, queued=16, parked=8, held_bytes=MIB)
    """For all together that are neither."""
    foreign_connections: int = 768
    """Of all that are not the host, so that it always finds a place."""
    foreign_running: int = 12
    """Handlers that run for them, for the same reason."""
    held_bytes: int = 256 * MIB
    """Of long requests and long answers, of all peers."""
    receive_s: float = 10.0
    """From connecting, or from the end of the answer before, to the end of the request line."""
    idle_s: float = 60.0
    """For a connection that is kept open to begin its next request."""
    send_s: float = 5.0
    """For the client to take the whole answer."""
    linger_s: float = 1.0
    """For a client that sent too much to stop sending, so that it can read why it was refused."""
    stop_s: float = 2.0
    """For each accepted request to be answered when the daemon stops."""
    evictable_after_s: float = 0.5
    """Age at which a connection without a complete request makes room for another when full."""
    wake_gap_s: float = 0.002
    """Between two rounds of re-running waiting requests; the first of a burst is not delayed."""

    def share(self, kind: CallerKind) -> Share:
        """What a peer of that kind may have."""
        return {"host": self.host, "bench": self.bench, "unknown": self.unknown}[kind]


def fitting_descriptors(limits: Limits) -> Limits:
    """``limits`` with no more connections than three quarters of this process's descriptors.

    The rest is for the database, for ``/proc`` and for whatever else an answer needs.
    """
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return limits
    places = min(limits.connections, max(1, soft * 3 // 4))
    foreign = min(limits.foreign_connections, max(1, places * 3 // 4))
    return replace(limits, connections=places, foreign_connections=foreign)
