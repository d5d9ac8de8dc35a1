"""What happens after an attempt at a step failed (FR-013)."""

from __future__ import annotations

from dataclasses import dataclass

ATTEMPT_TIMEOUT_S = 30.0
"""How long one attempt at a stage may take, in seconds."""

RETRY_DELAYS_S = (1.0, 2.0)
"""How long to wait before the second and the third attempt, in seconds."""

LONGEST_WAIT_US = 310_000_000
"""Nothing waits longer, in microseconds. What is due later was written before the clock was set
back, and is due now."""

TRANSIENT: frozenset[str] = frozenset(
    {
        "tmux_timeout",
        "exec_timeout",
        "exec_connection",
        "database_locked",
        "registry_timeout",
        "log_timeout",
        "event_timeout",
    }
)
"""The closed set of ``error_class`` tokens worth another attempt; all others fail at once."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again in ``delay_us`` microseconds."""

    delay_us: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The step has failed for good."""


def decide(error_class: str, attempt: int) -> Retry | GiveUp:
    """Whether to try again after a failed attempt.

    :param error_class: the token of the error that ended the attempt.
    :param attempt: which attempt that was, from 1.
    """
    if attempt < 1:
        raise ValueError(f"attempts count from 1, not {attempt}")
    if error_class not in TRANSIENT or attempt > len(RETRY_DELAYS_S):
        return GiveUp()
    return Retry(round(RETRY_DELAYS_S[attempt - 1] * 1_000_000))
