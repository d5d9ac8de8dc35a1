"""The one way in which a managed pane changes its state.

A pane's change, the layout state that follows from it, and the events that tell of both commit
together (FR-015, FR-020, managed.md section 2).
"""

from __future__ import annotations

from collections.abc import Sequence

from agenttower.clock import Micros
from agenttower.domain import events
from agenttower.domain.events import Actor, ManagedEvent
from agenttower.domain.states import Stage, State, aggregate, layout_failed_stage, may_transition
from agenttower.errors import PaneIllegalTransition
from agenttower.store import layouts
from agenttower.store.database import Store
from agenttower.store.layouts import PaneRecord


def change_state(
    store: Store,
    pane: PaneRecord,
    new: State,
    *,
    now: Micros,
    actor: Actor = "daemon",
    stage: Stage | None = None,
    reason: str | None = None,
    before: Sequence[ManagedEvent] = (),
    **changes: object,
) -> bool:
    """Move ``pane`` from the state in the record to ``new``, in the caller's transaction.

    :param stage: what failed, for ``degraded`` and ``failed``; ``reason`` says why.
    :param before: events of the pane that come before the change of state.
    :param changes: further columns of the pane.
    :return: ``False``, with nothing written, where the pane has left the record's state.
    :raises PaneIllegalTransition: the contract has no such transition.
    """
    if not may_transition(pane.state, new):
        raise PaneIllegalTransition(pane.pane_id, pane.state.value, f"state {new.value}")
    moved = layouts.update_pane(
        pane.pane_id,
        pane.state,
        state=new.value,
        failed_stage=None if stage is None else stage.value,
        failure_reason=reason,
        pending_marker_token=None,
        updated_at=now,
        **changes,
    )
    if not moved:
        return False
    told: list[tuple[str | None, ManagedEvent]] = [(pane.pane_id, event) for event in before]
    if pane.pending_marker_token is not None:
        told.append((pane.pane_id, events.pending_marker_cleared(pane.pending_marker_token)))
    told.append((pane.pane_id, events.pane_state_changed(pane.state, new, stage)))
    told += _derive_layout(pane.layout_id)
    layouts.append_events(store, pane.layout_id, pane.container_id, actor, told, now)
    return True


def note(
    store: Store, pane: PaneRecord, told: Sequence[ManagedEvent], now: Micros, **changes: object
) -> bool:
    """Write facts about a pane that stays in its state, with the events that tell them."""
    if changes and not layouts.update_pane(pane.pane_id, pane.state, updated_at=now, **changes):
        return False
    mixed: list[tuple[str | None, ManagedEvent]] = [(pane.pane_id, event) for event in told]
    if "failed_stage" in changes:
        mixed += _derive_layout(pane.layout_id)
    layouts.append_events(store, pane.layout_id, pane.container_id, "daemon", mixed, now)
    return True


def announce(
    store: Store,
    layout_id: str,
    pane_id: str,
    told: Sequence[ManagedEvent],
    *,
    actor: Actor,
    now: Micros,
) -> None:
    """Tell of a pane whose row has just been written, and let its layout follow."""
    layout = layouts.layout(layout_id)
    assert layout is not None
    mixed: list[tuple[str | None, ManagedEvent]] = [(pane_id, event) for event in told]
    mixed += _derive_layout(layout_id)
    layouts.append_events(store, layout_id, layout.container_id, actor, mixed, now)


def _derive_layout(layout_id: str) -> list[tuple[str | None, ManagedEvent]]:
    layout = layouts.layout(layout_id)
    if layout is None:
        return []
    panes = [
        (pane.state, None if pane.failed_stage is None else Stage(pane.failed_stage))
        for pane in layouts.current_panes(layout_id)
    ]
    new = aggregate(state for state, _ in panes)
    stage = layout_failed_stage(panes)
    if new is layout.state and (None if stage is None else stage.value) == layout.failed_stage:
        return []
    layouts.update_layout_state(layout_id, layout.state, new, stage)
    return [] if new is layout.state else [(None, events.layout_state_changed(layout.state, new))]
