"""The watchdog is fed by work that goes on."""

from __future__ import annotations

import pytest

from agenttower.notify import WATCHDOG
from workers.watchdog import STUCK_AFTER_S, Watchdog


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def watchdog(time: Time, told: list[str]) -> Watchdog:
    return Watchdog(told.append, time)


def test_an_idle_worker_whose_readers_look_is_well(
    watchdog: Watchdog, time: Time, told: list[str]
) -> None:
    for _ in range(100):
        time.now += 5
        watchdog.looked()
        watchdog.heartbeat_written()
    assert told == [WATCHDOG] * 100


def test_a_heart_that_beats_is_not_enough(watchdog: Watchdog, time: Time, told: list[str]) -> None:
    time.now += STUCK_AFTER_S + 1
    watchdog.heartbeat_written()
    assert told == []
    assert "nobody has looked into the queue" in (watchdog.stuck() or "")
    watchdog.looked()
    watchdog.heartbeat_written()
    assert told == [WATCHDOG]


def test_one_stuck_step_is_enough(watchdog: Watchdog, time: Time, told: list[str]) -> None:
    with watchdog.step(7):
        time.now += STUCK_AFTER_S
        watchdog.looked()
        watchdog.heartbeat_written()
        assert told == [WATCHDOG], "a slow step is not a stuck one"
        time.now += 1
        watchdog.heartbeat_written()
        assert "step 7" in (watchdog.stuck() or "")
        with watchdog.step(8):
            pass
        assert watchdog.stuck() is not None
    assert told == [WATCHDOG]
    assert watchdog.stuck() is None


def test_a_step_that_raises_is_over(watchdog: Watchdog, time: Time) -> None:
    with pytest.raises(ValueError, match="x"), watchdog.step(7):
        raise ValueError("x")
    time.now += STUCK_AFTER_S + 1
    watchdog.looked()
    assert watchdog.stuck() is None


def test_a_worker_with_all_threads_busy_is_well_as_long_as_steps_may_take(
    watchdog: Watchdog, time: Time
) -> None:
    watchdog.looked()
    with watchdog.step(1), watchdog.step(2):
        time.now += STUCK_AFTER_S
        assert watchdog.stuck() is None
