"""Whose turn it is to be delivered to: in order, each once, nobody left out."""

from __future__ import annotations

import threading

from workers.delivery import PER_CONTAINER, Lane, Lanes


def lane(number: int, container: str = "c") -> Lane:
    return (f"agt_{number}", container)


def test_first_come_first_served_and_then_to_the_end() -> None:
    lanes = Lanes()
    lanes.add([lane(1), lane(2), lane(1)])
    first = lanes.take()
    assert first == lane(1)
    lanes.done(lane(1), more=True)
    assert [lanes.take(), lanes.take()] == [lane(2), lane(1)]
    assert lanes.wanted() == 2


def test_a_ring_during_a_turn_gives_another_one() -> None:
    lanes = Lanes()
    lanes.add([lane(1)])
    assert lanes.take() == lane(1)
    lanes.add([lane(1)])
    assert lanes.wanted() == 1, "one turn at a time"
    lanes.done(lane(1), more=False)
    assert lanes.take() == lane(1)
    lanes.done(lane(1), more=False)
    assert lanes.wanted() == 0


def test_a_container_that_hangs_does_not_take_all_turns() -> None:
    lanes = Lanes()
    lanes.add([lane(n) for n in range(PER_CONTAINER + 3)] + [lane(99, "other")])
    taken = [lanes.take() for _ in range(PER_CONTAINER + 1)]
    assert taken == [*(lane(n) for n in range(PER_CONTAINER)), lane(99, "other")]


def test_closing_lets_everybody_go() -> None:
    lanes = Lanes()
    got: list[Lane | None] = []
    waiting = threading.Thread(target=lambda: got.append(lanes.take()))
    waiting.start()
    lanes.close()
    waiting.join(10)
    assert got == [None]
