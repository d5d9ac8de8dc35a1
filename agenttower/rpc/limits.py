"""What the front end allows a client, and itself."""

from __future__ import annotations

import resource
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds. The defaults are the product's; tests shorten the times."""

    connections: int = 1024
    """Open at once; more wait in the kernel's queue."""
    per_process: int = 512
    """Open at once for one peer process, so that one cannot use all."""
    parked: int = 512
    """Requests that wait for a change without holding a thread; more are answered at once."""
    threads: int = 16
    """Handlers that run at once."""
    receive_s: float = 10.0
    """From connecting to the end of the request line."""
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


def fitting_descriptors(limits: Limits) -> Limits:
    """``limits`` with no more connections than three quarters of this process's descriptors.

    The rest is for the database, for ``/proc`` and for whatever else an answer needs.
    """
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return limits
    return replace(limits, connections=min(limits.connections, max(1, soft * 3 // 4)))
