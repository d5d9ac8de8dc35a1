"""FR-007, FR-013, managed.md section 2: the tables, cell by cell."""

from __future__ import annotations

import pytest

from agenttower.domain.states import (
    ALLOWED,
    LABEL_HOLDERS,
    STATE_ORDER,
    Stage,
    State,
    aggregate,
    is_terminal_for_label,
    layout_failed_stage,
    may_transition,
)

C, R, D, F, X = State.CREATING, State.READY, State.DEGRADED, State.FAILED, State.REMOVED

CONTRACT = {
    (None, C),
    (C, R),
    (C, D),
    (C, F),
    (R, D),
    (R, F),
    (D, F),
    (R, X),
    (D, X),
    (F, X),
}


def test_tokens_are_the_contracts() -> None:
    assert [str(state) for state in State] == ["creating", "ready", "degraded", "failed", "removed"]
    assert [str(stage) for stage in Stage] == [
        "pane_create",
        "launch_command",
        "registration",
        "log_attach",
        "tmux_kill",
        "recovery_reattach",
    ]


@pytest.mark.parametrize("old", [None, *State])
@pytest.mark.parametrize("new", list(State))
def test_exactly_the_contracts_transitions_are_allowed(old: State | None, new: State) -> None:
    assert may_transition(old, new) == ((old, new) in CONTRACT)


def test_every_state_has_a_row_and_a_place_in_lists() -> None:
    assert set(ALLOWED) == {None, *State}
    assert sorted(State, key=lambda state: STATE_ORDER[state]) == [C, D, R, F, X]


@pytest.mark.parametrize(
    ("panes", "state"),
    [
        ([], X),
        ([R, R, R], R),
        ([X, X], X),
        ([R, X], R),
        ([D, X], D),
        ([F, C], C),
        ([F, D, R], F),
        ([F, X], F),
        ([D, R], D),
        ([X, C], C),
    ],
)
def test_aggregate(panes: list[State], state: State) -> None:
    assert aggregate(panes) is state
    assert aggregate(iter(panes)) is state


def test_a_failed_layout_shows_the_stage_of_its_first_failed_pane() -> None:
    panes = [
        (R, None),
        (D, Stage.LOG_ATTACH),
        (F, Stage.REGISTRATION),
        (F, Stage.PANE_CREATE),
        (X, Stage.TMUX_KILL),
    ]
    assert layout_failed_stage(panes) is Stage.REGISTRATION


@pytest.mark.parametrize("other", [[], [(C, None)], [(D, Stage.LOG_ATTACH)]])
def test_a_layout_that_is_not_failed_shows_no_stage(
    other: list[tuple[State, Stage | None]],
) -> None:
    failed = [(F, Stage.PANE_CREATE)] if (C, None) in other else []
    assert layout_failed_stage([*failed, *other]) is None


def test_creating_ready_and_degraded_panes_hold_their_label() -> None:
    assert frozenset({C, R, D}) == LABEL_HOLDERS
    assert [state for state in State if is_terminal_for_label(state)] == [F, X]
