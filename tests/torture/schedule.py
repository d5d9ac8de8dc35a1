"""Which fault happens when: drawn from the seed before anything starts, so that it can be repeated.

What the clients ask for is drawn from the seed too; how it interleaves with the faults is the
machine's business.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

LONG_RUN_S = 240.0
LONGER_THAN_A_LEASE_S = 50.0


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault."""

    lane: str
    """Faults of one lane come one after another; lanes overlap."""
    weight: int
    lasts: tuple[float, float] = (0.0, 0.0)
    """Between how many seconds and how many; nothing for what is done at once."""


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "kill_worker": Kind("process", 6),
        "kill_serve": Kind("process", 3),
        "kill_both": Kind("process", 2),
        "terminate_worker": Kind("process", 2),
        "terminate_serve": Kind("process", 1),
        "hold_worker": Kind("process", 2, (0.3, 3.0)),
        "hold_serve": Kind("process", 1, (0.3, 2.0)),
        "lock_database": Kind("storage", 3, (0.5, 7.0)),
        "fill_disk": Kind("storage", 2, (0.5, 5.0)),
        "stop_container": Kind("container", 2, (0.2, 2.0)),
        "restart_container": Kind("container", 1),
        "freeze_container": Kind("container", 3, (0.3, 4.0)),
        "kill_tmux_server": Kind("container", 2),
        "kill_pane": Kind("container", 6),
    }
)
"""``hold`` is SIGSTOP, ``terminate`` SIGTERM, ``kill`` SIGKILL."""

PAUSES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"process": (0.2, 2.0), "storage": (2.0, 8.0), "container": (0.3, 2.5)}
)
"""Between how many seconds and how many of peace follow a fault of the lane."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a schedule."""

    at: float
    """Seconds from the beginning; later where the one before it took longer than it should."""
    kind: str
    lasts: float
    pick: float
    """From 0 to 1: which of the things there are then is hit."""

    def __str__(self) -> str:
        return f"{self.at:7.2f} s  {self.kind}" + (f" {self.lasts:.1f} s" if self.lasts else "")


def draw(seed: int, seconds: float, kinds: Collection[str] = tuple(KINDS)) -> list[list[Fault]]:
    """The faults of each lane, in order.

    :param kinds: those that are possible here.
    """
    lanes = sorted({KINDS[kind].lane for kind in kinds})
    return [_lane(random.Random(f"{seed}/{lane}"), lane, seconds, kinds) for lane in lanes]


def _lane(dice: random.Random, lane: str, seconds: float, kinds: Collection[str]) -> list[Fault]:
    own = [kind for kind in kinds if KINDS[kind].lane == lane]
    weights = [KINDS[kind].weight for kind in own]
    faults: list[Fault] = []
    long_hold = lane == "process" and seconds >= LONG_RUN_S
    at = dice.uniform(*PAUSES[lane])
    while at < seconds:
        [kind] = dice.choices(own, weights)
        lasts = dice.uniform(*KINDS[kind].lasts)
        if long_hold and at > seconds / 2:
            kind, lasts, long_hold = "hold_worker", LONGER_THAN_A_LEASE_S, False
        faults.append(Fault(at, kind, lasts, dice.random()))
        at += lasts + dice.uniform(*PAUSES[lane])
    return faults
