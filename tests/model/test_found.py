"""Counterexamples that the model check found, each as a plain test of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.model import ending
from tests.model.contract_model import Pane
from tests.model.fake_bench import FakeContainer, Fault
from tests.model.machine import LifecycleMachine
from tests.model.scene import Moment

SWEPT_AFTER_S = 301


@pytest.fixture
def life() -> Iterator[LifecycleMachine]:
    machine = LifecycleMachine()
    yield machine
    machine.rig.close()


def create(life: LifecycleMachine, *, flaky: bool = False, during: Moment | None = None) -> None:
    life.create(0, "1m+2s", "one", "", None, flaky, during)


def pane(life: LifecycleMachine, label: str) -> Pane:
    """The newest of this label."""
    return [found for found in life.contract.panes.values() if found.label == label][-1]


def container(life: LifecycleMachine) -> FakeContainer:
    return life.container(0)


def titles(life: LifecycleMachine) -> list[str]:
    return [found.title for found in container(life).tmux.panes if found.token]


def sweep(life: LifecycleMachine) -> None:
    life.rig.time.sleep(SWEPT_AFTER_S)
    life.worker_does("sweep", None)


def test_nothing_goes_wrong_where_nothing_is_wrong(life: LifecycleMachine) -> None:
    create(life)
    ending.settle(life)
    assert [found.state for found in life.contract.panes.values()] == ["ready"] * 3
    assert titles(life) == ["m1", "s1", "s2"]


def test_a_worker_killed_in_the_middle_of_a_sweep_leaves_no_pane_creating_for_ever(
    life: LifecycleMachine,
) -> None:
    """The sweep gave up the first pane, which closed the operation; then it was killed. The other
    panes had no step and no running operation: neither the ledger nor a sweep saw them again."""
    create(life)
    life.bench_will_fail(Fault.LOST_BEFORE, 0, 1)
    life.work(1, None)  # the operation has begun, and its first step waits for its second try
    life.rig.time.sleep(SWEPT_AFTER_S)
    life.worker_does("sweep", (2, "killed", 0))
    ending.settle(life)


def test_a_layout_shows_the_stage_of_its_first_failed_pane_after_a_failed_kill(
    life: LifecycleMachine,
) -> None:
    """The kill of a failed pane failed; the pane said tmux_kill, its layout still the old stage."""
    create(life)
    life.work_for_long(4)
    life.happens("server killed", 0)
    life.look(0, False, None)
    life.order_removal(pane(life, "m1").pane_id)
    life.bench_will_fail(Fault.TMUX_ERROR, 0, 1)
    life.work(1, None)
    assert pane(life, "m1").stage == "tmux_kill"
    life.watch.look()


def test_a_settled_pane_loses_its_marker_although_its_title_could_not_be_set(
    life: LifecycleMachine,
) -> None:
    """Every try to set the title timed out; the pane was degraded and kept its marker for ever."""
    create(life)
    life.one_call_gets_stuck("set_title")
    life.work_for_long(10)
    assert {found.state for found in life.contract.panes.values()} == {"degraded"}
    ending.settle(life)


def test_a_swept_pane_that_stands_loses_its_marker(life: LifecycleMachine) -> None:
    """The sweep failed panes and left the marker on them, so that discovery never saw them."""
    create(life)
    life.work(3, None)
    sweep(life)
    assert pane(life, "s1").stage == "registration"
    ending.settle(life)


def test_a_swept_pane_loses_its_marker_although_its_title_could_not_be_set(
    life: LifecycleMachine,
) -> None:
    """Every try to reset the title timed out, and nobody looked at the titles of failed panes."""
    create(life)
    life.work_interrupted(0, "lease expires", 0)
    life.work_interrupted(0, "swept", 1)
    assert pane(life, "m1").stage == "registration"
    life.one_call_gets_stuck("set_title")
    life.work_for_long(10)
    ending.settle(life)
    assert titles(life) == ["m1"]


def test_a_swept_pane_that_was_registered_is_no_agent_any_more(life: LifecycleMachine) -> None:
    """The sweep failed a pane whose log attachment was late; its agent stayed active."""
    create(life)
    life.work(3, None)
    life.rig.time.sleep(1)
    life.work(2, None)
    sweep(life)
    assert pane(life, "m1").state == "failed"
    life.watch.look()


@pytest.mark.parametrize("fault", [Fault.TIMEOUT_AFTER, Fault.TIMEOUT_LATE])
def test_a_creation_that_timed_out_for_good_leaves_nothing_running(
    life: LifecycleMachine, fault: Fault
) -> None:
    """The last of three tries timed out and had made the pane, which ran on, marker and all."""
    create(life)
    life.work(2, None)
    life.bench_will_fail(fault, 1, 1)
    life.work(1, None)
    for _ in range(2):
        life.rig.time.sleep(2)
        life.bench_will_fail(fault, 1, 1)
        life.work(1, None)
    ending.settle(life)
    assert all(found.state != "creating" for found in life.contract.panes.values())


def test_a_pane_that_is_removed_during_a_look_does_not_fail_first(life: LifecycleMachine) -> None:
    """The look began before the removal and found the pane gone that the removal had killed."""
    create(life)
    life.work_for_long(4)
    life.look(0, False, (0, "removed", 6))
    ending.settle(life)
    assert [found.state for found in life.contract.panes.values()].count("removed") == 1


def test_two_looks_must_agree_on_each_pane_before_it_is_called_gone(
    life: LifecycleMachine,
) -> None:
    """One pane was gone; the second look, over a fresh channel, saw none at all. The others, seen
    a moment before, were called gone by that one look."""
    create(life)
    life.work_for_long(4)
    life.world.kill_pane(container(life), container(life).tmux.panes[-1])
    life.bench_will_fail(Fault.BLIND, 1, 1)
    life.look(0, False, None)
    assert pane(life, "m1").state == "ready"


def test_the_end_of_a_program_is_told_once_though_two_look_at_once(
    life: LifecycleMachine,
) -> None:
    """Front end and worker looked at the same time at a pane that was degraded already."""
    create(life)
    life.one_call_gets_stuck("set_title")
    life.work_for_long(10)
    life.one_call_gets_stuck("")
    life.world.end_program(container(life), container(life).tmux.panes[-1])
    life.look(0, True, (3, "looked at", 0))


@pytest.mark.parametrize("passage", [1, 4])
def test_an_overtaken_creation_does_not_mark_a_settled_pane_again(
    life: LifecycleMachine, passage: int
) -> None:
    """A worker slept after its claim (or before its call to tmux); another finished the pane. The
    first awoke, found the pane there, and adopted it: with the title of a pane in creation."""
    create(life)
    life.work_interrupted(passage, "lease expires", 14)
    assert pane(life, "m1").state == "ready"
    ending.settle(life)


def crash_the_program(life: LifecycleMachine) -> None:
    found = next(p for p in container(life).tmux.panes if p.title == "s1")
    life.world.end_program(container(life), found)
    life.look(0, False, None)


def test_a_removal_and_a_restart_of_one_pane_do_not_archive_it_twice(
    life: LifecycleMachine,
) -> None:
    """The restart's wait ended while the operator's removal was under way: both cleared the pane
    away, and the second archive left a failed kill on a removed pane."""
    create(life, flaky=True)
    life.work_for_long(4)
    crash_the_program(life)
    life.remove_pane_of(pane(life, "s1").pane_id)
    life.bench_will_fail(Fault.LOST_BEFORE, 0, 1)
    life.work(1, None)  # the kill will be tried again in a second, and the restart is due then too
    ending.settle(life)
    assert pane(life, "s1").state == "removed"
    row = life.watch.rows("SELECT failed_stage FROM managed_pane WHERE label = 's1'")[0]
    assert row["failed_stage"] is None


def test_a_pane_that_is_removed_while_its_restart_clears_it_does_not_come_back(
    life: LifecycleMachine,
) -> None:
    """The operator's removal was joined to the restart's, which then made a successor."""
    create(life, flaky=True)
    life.work_for_long(4)
    crash_the_program(life)
    life.rig.time.sleep(2)
    life.work(1, None)  # restart: tmux_kill is next
    life.remove_pane_of(pane(life, "s1").pane_id)
    ending.settle(life)
    assert pane(life, "s1").state == "removed"
