"""FR-013 and design.md section 2, points 6 and 7: retry and rescue."""

from __future__ import annotations

import pytest

from agenttower import errors
from agenttower.domain.lease import LEASE_US, Keep, Release, decide_rescue
from agenttower.domain.retry import ATTEMPT_TIMEOUT_S, TRANSIENT, GiveUp, Retry, decide


@pytest.mark.parametrize("error_class", sorted(TRANSIENT))
def test_transient_failures_get_two_more_attempts(error_class: str) -> None:
    outcomes = [decide(error_class, attempt) for attempt in (1, 2, 3)]
    assert outcomes == [Retry(1_000_000), Retry(2_000_000), GiveUp()]


@pytest.mark.parametrize(
    "error_class", ["tmux_error", "docker_error", "internal", "", "TMUX_TIMEOUT", "tmux_timeout "]
)
def test_everything_else_fails_at_once(error_class: str) -> None:
    assert decide(error_class, 1) == GiveUp()


def test_the_set_of_transient_failures_is_the_contracts() -> None:
    assert (
        frozenset(
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
        == TRANSIENT
    )


@pytest.mark.parametrize(
    ("error", "retried"),
    [
        (errors.BenchTimeout, True),
        (errors.BenchConnectionLost, True),
        (errors.DockerUnavailable, True),
        (errors.DockerTimeout, True),
        (errors.LogTimeout, True),
        (errors.TmuxCommandFailed, False),
        (errors.ContainerInactive, False),
        (errors.LogNotVisible, False),
        (errors.AgentTowerError, False),
    ],
)
def test_errors_carry_tokens_that_the_policy_knows(
    error: type[errors.AgentTowerError], retried: bool
) -> None:
    assert isinstance(decide(error.error_class, 1), Retry) == retried


def test_attempts_count_from_one() -> None:
    with pytest.raises(ValueError, match="count from 1"):
        decide("tmux_timeout", 0)


def test_a_lease_outlives_an_attempt() -> None:
    assert LEASE_US == 45_000_000
    assert ATTEMPT_TIMEOUT_S * 1_000_000 < LEASE_US


@pytest.mark.parametrize(
    ("now", "owner_dead", "decision"),
    [
        (99, False, Keep()),
        (100, False, Release("lease_expired")),
        (101, False, Release("lease_expired")),
        (0, True, Release("owner_dead")),
        (101, True, Release("owner_dead")),
    ],
)
def test_rescue(now: int, owner_dead: bool, decision: Release | Keep) -> None:
    assert decide_rescue(now, 100, owner_dead) == decision
