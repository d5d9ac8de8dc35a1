"""When a step may be taken from its owner (design.md section 2, point 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LEASE_US = 45_000_000
"""How long a claim holds, in microseconds: one attempt's 30 s and time to settle it."""


@dataclass(frozen=True, slots=True)
class Release:
    """Free the step; ``reason`` goes into its row, so that an operator can read why."""

    reason: Literal["owner_dead", "lease_expired", "clock_stepped_back"]


@dataclass(frozen=True, slots=True)
class Keep:
    """Leave the step with its owner."""


def decide_rescue(now: int, lease_until: int, owner_dead: bool) -> Release | Keep:
    """Whether a running step's lease ends now.

    :param now: unix microseconds.
    :param lease_until: unix microseconds; the lease is live strictly before this.
    :param owner_dead: the owner is provably gone, not merely silent.
    """
    if owner_dead:
        return Release("owner_dead")
    if now >= lease_until:
        return Release("lease_expired")
    if lease_until > now + 2 * LEASE_US:
        # No claim reaches so far, not even one made since the caller looked at the clock: the clock
        # was set back, and the lease would hold for ever.
        return Release("clock_stepped_back")
    return Keep()
