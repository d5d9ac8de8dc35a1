"""When a failed program is started again, and when the brakes hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenttower.domain.restart import (
    IDENTICAL_LIMIT,
    LONGEST_BACKOFF_S,
    QUICK_MS,
    Brake,
    End,
    Restart,
    RestartPolicy,
    decide,
)

POLICY = RestartPolicy(maximum=5, backoff_s=2.0)
QUICK, SLOW = QUICK_MS - 1, QUICK_MS

ends = st.builds(End, st.integers(0, 255), st.integers(0, 2 * QUICK_MS))


def test_off_unless_a_profile_asks() -> None:
    assert decide(None, [End(1, QUICK)]) is None


def test_a_clean_end_is_no_failure() -> None:
    assert decide(POLICY, [End(0, QUICK), End(1, QUICK)]) is None


def test_the_first_restart_waits_the_backoff() -> None:
    assert decide(POLICY, [End(1, QUICK)]) == Restart(1, 2_000_000)


def test_the_wait_doubles_with_each_quick_failure() -> None:
    assert decide(POLICY, [End(2, QUICK), End(1, QUICK)]) == Restart(2, 4_000_000)


def test_a_long_life_forgives_what_was_before_it() -> None:
    chain = [End(1, SLOW), End(1, QUICK), End(1, QUICK)]
    assert decide(POLICY, chain) == Restart(3, 2_000_000)


def test_identical_quick_failures_brake() -> None:
    chain = [End(7, QUICK)] * IDENTICAL_LIMIT
    decision = decide(POLICY, chain)
    assert isinstance(decision, Brake)
    assert "exit code 7" in decision.reason


def test_another_code_in_between_is_another_failure() -> None:
    chain = [End(7, QUICK), End(7, QUICK), End(8, QUICK), End(7, QUICK)]
    assert isinstance(decide(POLICY, chain), Restart)


@pytest.mark.parametrize("maximum", [1, 5])
def test_the_maximum_brakes(maximum: int) -> None:
    chain = [End(code, SLOW) for code in range(1, maximum + 2)]
    policy = RestartPolicy(maximum=maximum)
    assert isinstance(decide(policy, chain), Brake)
    assert decide(policy, chain[1:]) == Restart(maximum, 1_000_000)


@given(st.lists(ends, min_size=1, max_size=16), st.integers(1, 15))
def test_never_past_the_maximum_and_never_without_bound(chain: list[End], maximum: int) -> None:
    decision = decide(RestartPolicy(maximum=maximum), chain)
    if isinstance(decision, Restart):
        assert decision.attempt == len(chain) <= maximum
        assert 0 < decision.delay_us <= LONGEST_BACKOFF_S * 1_000_000
    else:
        assert isinstance(decision, Brake) == (chain[0].exit_code != 0)
