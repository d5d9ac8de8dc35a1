"""Whether a pane whose program failed is started again (additive; off unless a profile asks).

``restart: on-failure`` recreates a pane whose program ended with another code than 0, through the
same durable operations that an operator would order. Each restart waits twice as long as the one
before. Two brakes: a maximum, and repeated identical failures, which more restarts would not cure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

IDENTICAL_LIMIT = 3
"""So many quick ends in a row with one exit code are one failure, not bad luck."""
QUICK_MS = 10_000
"""A program that lived longer had started well: what came before does not count against it."""
LONGEST_BACKOFF_S = 300.0


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """What a profile says of restarts."""

    maximum: int = 5
    backoff_s: float = 1.0


@dataclass(frozen=True, slots=True)
class End:
    """How the program of one pane of a chain ended."""

    exit_code: int
    elapsed_ms: int


@dataclass(frozen=True, slots=True)
class Restart:
    """Start it again, for the ``attempt``-th time, after ``delay_us`` microseconds."""

    attempt: int
    delay_us: int


@dataclass(frozen=True, slots=True)
class Brake:
    """Leave it as it is; the reason is for people."""

    reason: str


def decide(policy: RestartPolicy | None, ends: Sequence[End]) -> Restart | Brake | None:
    """What follows from the last end of a chain.

    :param ends: of the pane and its predecessors, the newest first; never empty.
    :return: ``None`` where no restart is due: no policy, or a clean end.
    """
    if policy is None or ends[0].exit_code == 0:
        return None
    quick = _leading(ends, lambda end: end.elapsed_ms < QUICK_MS)
    same = _leading(quick, lambda end: end.exit_code == ends[0].exit_code)
    if len(same) >= IDENTICAL_LIMIT:
        return Brake(
            f"ended {len(same)} times in a row with exit code {ends[0].exit_code} within "
            f"{QUICK_MS // 1000} s; mend the cause, then recreate the pane"
        )
    restarts = len(ends) - 1
    if restarts >= policy.maximum:
        return Brake(f"was restarted {restarts} times, the maximum of its profile")
    # A long life forgives what was before it: the waiting begins anew.
    tries = max(len(quick) - 1, 0)
    delay = min(policy.backoff_s * 2**tries, LONGEST_BACKOFF_S)
    return Restart(restarts + 1, round(delay * 1_000_000))


def _leading(ends: Sequence[End], fits: Callable[[End], bool]) -> list[End]:
    found: list[End] = []
    for end in ends:
        if not fits(end):
            break
        found.append(end)
    return found
