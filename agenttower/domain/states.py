"""The lifecycle of layouts and panes (FR-007, managed.md section 2).

Each state and stage is named here once; the database's CHECK constraints, the wire and the command
line take their tokens from these enumerations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """What a pane, and by :func:`aggregate` a layout, is in."""

    CREATING = "creating"
    READY = "ready"
    DEGRADED = "degraded"
    FAILED = "failed"
    REMOVED = "removed"


class Stage(StrEnum):
    """The closed set of things that can fail (FR-013)."""

    PANE_CREATE = "pane_create"
    LAUNCH_COMMAND = "launch_command"
    REGISTRATION = "registration"
    LOG_ATTACH = "log_attach"
    TMUX_KILL = "tmux_kill"
    RECOVERY_REATTACH = "recovery_reattach"


STATE_ORDER: Mapping[State, int] = MappingProxyType(
    {
        State.CREATING: 1,
        State.DEGRADED: 2,
        State.READY: 3,
        State.FAILED: 4,
        State.REMOVED: 5,
    }
)
"""Lists are sorted by this first (managed.md section 2)."""

ALLOWED: Mapping[State | None, frozenset[State]] = MappingProxyType(
    {
        None: frozenset({State.CREATING}),
        State.CREATING: frozenset({State.READY, State.DEGRADED, State.FAILED}),
        State.READY: frozenset({State.DEGRADED, State.FAILED, State.REMOVED}),
        State.DEGRADED: frozenset({State.FAILED, State.REMOVED}),
        State.FAILED: frozenset({State.REMOVED}),
        State.REMOVED: frozenset(),
    }
)
"""Pane transitions by where they start; ``None`` is "no row yet"."""

LABEL_HOLDERS: frozenset[State] = frozenset({State.CREATING, State.READY, State.DEGRADED})
"""The states that hold their label in the container: see :func:`is_terminal_for_label`."""


def may_transition(old: State | None, new: State) -> bool:
    """Whether a pane may go from ``old`` to ``new``; staying where it is is no transition."""
    return new in ALLOWED[old]


def aggregate(panes: Iterable[State]) -> State:
    """A layout's state from those of its current panes.

    :param panes: states of the rows that no other row names as predecessor, in any order. None at
        all gives ``removed``: there is nothing left that anybody could use.
    """
    present = frozenset(panes)
    if State.CREATING in present:
        return State.CREATING
    for state in (State.FAILED, State.DEGRADED, State.READY):
        if state in present:
            return state
    return State.REMOVED


def layout_failed_stage(panes: Sequence[tuple[State, Stage | None]]) -> Stage | None:
    """The stage a failed layout shows: that of its first failed pane.

    :param panes: state and ``failed_stage`` of the current panes, in slot order.
    :return: ``None`` as long as the layout itself is not ``failed``, so also while a sibling of a
        failed pane is still ``creating``.
    """
    if aggregate(state for state, _ in panes) is not State.FAILED:
        return None
    return next(stage for state, stage in panes if state is State.FAILED)


def is_terminal_for_label(state: State) -> bool:
    """Whether a pane in this state has given its label back (FR-003).

    ``failed`` counts as terminal, although it can still be removed: FR-011 recreates a failed pane
    under the same label while the failed row stands, M7 lists ``managed_pane_label_conflict`` for
    the case that somebody else took the label meanwhile, and a create that failed can be run again
    without cleaning up first (SC-007).
    """
    return state not in LABEL_HOLDERS
