"""Limits that random lives seldom reach, driven through the same model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.model import ending
from tests.model.contract_model import CAPACITY, MAX_DEPTH
from tests.model.machine import LifecycleMachine


@pytest.fixture
def life() -> Iterator[LifecycleMachine]:
    machine = LifecycleMachine()
    yield machine
    machine.rig.close()


def test_a_chain_ends_at_depth_sixteen(life: LifecycleMachine) -> None:
    life.create(0, "1m+2s", "one", "", None, False, None)
    life.work_for_long(3)
    newest = next(iter(life.contract.panes))
    for _ in range(MAX_DEPTH + 1):
        life.rig.beat()
        life.remove_pane_of(newest)
        life.work_for_long(1)
        life.recreate_of(newest)
        life.work_for_long(3)
        newest = list(life.contract.panes)[-1]
    assert life.contract.panes[newest].depth == MAX_DEPTH
    ending.settle(life)


def test_the_forty_first_layout_is_refused(life: LifecycleMachine) -> None:
    for number in range(CAPACITY + 1):
        life.rig.beat()
        life.create(number % 2, "1m+2s", f"s{number}", f"p{number}-", None, False, None)
    assert life.contract.layout_count() == CAPACITY
    life.work_for_long(3)
    life.remove_layout_of(life.contract.panes[next(iter(life.contract.panes))].layout_id)
    ending.drain(life)
    life.rig.beat()
    life.create(0, "1m+2s", "again", "again-", None, False, None)
    assert life.contract.layout_count() == CAPACITY
    ending.settle(life)
