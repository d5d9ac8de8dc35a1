"""What readers see of managed layouts, panes and events (M2 to M5, section 6)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from agenttower.clock import to_rfc3339, to_rfc3339_or_none
from agenttower.domain.cursors import decode_cursor, encode_cursor
from agenttower.domain.identifiers import check_identifier, check_uuid, normalise_container_ref
from agenttower.domain.states import LABEL_HOLDERS, STATE_ORDER, State
from agenttower.engine import outbox
from agenttower.errors import LayoutNotFound, PaneNotFound, ValidationFailed
from agenttower.services.attention import attention_view, layout_attention
from agenttower.services.caller import Caller
from agenttower.store import attention, containers, layouts, ledger
from agenttower.store.attention import AttentionRecord
from agenttower.store.database import Store
from agenttower.store.layouts import LAYOUT_KEY, PANE_KEY, LayoutRecord, PaneRecord
from agenttower.store.ledger import StepRecord

STAGES = {
    "pane_create": "pane_create",
    "launch_command": "launch_probe",
    "registration": "registration",
    "log_attach": "log_attach",
}
"""The stages of FR-013 that create has, and the ledger's name for each."""
MAX_CHAIN = 16
NOWHERE = ""
"""No container has this id."""


class ManagedViews:
    """Reads of managed sessions; a bench client sees its own container only (R12)."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list_layouts(
        self,
        caller: Caller,
        *,
        container_id: str | None,
        states: Sequence[str],
        limit: int,
        after: str | None,
    ) -> dict[str, Any]:
        """M2. :raises ValidationFailed: a bad filter or cursor."""
        check_states(states)
        wanted = _narrow(caller, container_id)
        filters = {"container_id": wanted, "states": sorted(set(states))}
        key = (
            None
            if after is None
            else decode_cursor(after, kind="layouts", types=LAYOUT_KEY, filters=filters)
        )
        with self._store.snapshot():
            rows = layouts.page_of_layouts(
                container_id=wanted,
                states=states,
                limit=limit + 1,
                after=key,
            )
            ids = [record.layout_id for record, _ in rows]
            ready = layouts.ready_counts(ids)
            waiting = attention.of_layouts(ids)
        items = [
            layout_item(record, ready.get(record.layout_id, 0))
            | {"attention": layout_attention(waiting.get(record.layout_id, ()))}
            for record, _ in rows[:limit]
        ]
        return {"items": items, "next": _next_cursor("layouts", rows, limit, filters)}

    def layout_detail(
        self, caller: Caller, layout_id: str, *, include_terminal_panes: bool
    ) -> dict[str, Any]:
        """M3. :raises LayoutNotFound: :raises HostOnly:"""
        layout_id = check_uuid("layout_id", layout_id)
        with self._store.snapshot():
            layout = layouts.layout(layout_id)
            caller.require_container(None if layout is None else layout.container_id)
            if layout is None:
                raise LayoutNotFound(layout_id)
            panes = layouts.panes_of(layout_id)
            shown = panes if include_terminal_panes else _without_terminal(panes)
            steps = ledger.steps_of([pane.pane_id for pane in shown])
            waits = attention.of_agents([pane.reserved_agent_id for pane in shown])
            waiting = attention.of_layouts([layout_id]).get(layout_id, ())
        detail: dict[str, Any] = {
            "layout_id": layout.layout_id,
            "container_id": layout.container_id,
            "template_name": layout.template_name,
            "tmux_session_name": layout.tmux_session_name,
            "tmux_session_target": layout.tmux_session_target,
            "state": layout.state.value,
            "intended_pane_count": layout.intended_pane_count,
            "panes": [pane_view(pane, steps, waits) for pane in shown],
            "created_at": to_rfc3339(layout.created_at),
            "updated_at": to_rfc3339(layout.updated_at),
            "origin": "managed",
            "revision": layout.revision,
            "attention": layout_attention(waiting),
        }
        if layout.failed_stage is not None:
            detail["failed_stage"] = layout.failed_stage
        return detail

    def layout_revision(self, layout_id: str) -> int | None:
        """A number that rises with every change that readers can see; ``None``: no such layout."""
        layout = layouts.layout(layout_id.lower())
        return None if layout is None else layout.revision

    def list_panes(
        self,
        caller: Caller,
        *,
        container_id: str | None,
        layout_id: str | None,
        states: Sequence[str],
        limit: int,
        after: str | None,
    ) -> dict[str, Any]:
        """M4. :raises LayoutNotFound: the filter names no layout the caller may see."""
        if layout_id is not None:
            layout_id = check_uuid("layout_id", layout_id)
        check_states(states)
        scope = _narrow(caller, container_id)
        filters = {
            "container_id": scope,
            "layout_id": layout_id,
            "states": sorted(set(states)),
        }
        key = (
            None
            if after is None
            else decode_cursor(after, kind="panes", types=PANE_KEY, filters=filters)
        )
        with self._store.snapshot():
            if layout_id is not None:
                layout = layouts.layout(layout_id)
                if layout is None or caller.scope not in (None, layout.container_id):
                    raise LayoutNotFound(layout_id)
            rows = layouts.page_of_panes(
                container_id=scope, layout_id=layout_id, states=states, limit=limit + 1, after=key
            )
            steps = ledger.steps_of([record.pane_id for record, _ in rows[:limit]])
            waits = attention.of_agents([record.reserved_agent_id for record, _ in rows[:limit]])
        items = [pane_view(record, steps, waits) for record, _ in rows[:limit]]
        return {"items": items, "next": _next_cursor("panes", rows, limit, filters)}

    def pane_detail(
        self, caller: Caller, pane_id: str, *, include_predecessor_chain: bool
    ) -> dict[str, Any]:
        """M5. :raises PaneNotFound: :raises HostOnly:"""
        pane_id = check_uuid("pane_id", pane_id)
        with self._store.snapshot():
            pane = layouts.pane(pane_id)
            caller.require_container(None if pane is None else pane.container_id)
            if pane is None:
                raise PaneNotFound(pane_id)
            waits = attention.of_agents([pane.reserved_agent_id])
            detail = pane_view(pane, ledger.steps_of([pane_id]), waits)
            if include_predecessor_chain:
                detail["predecessor_chain"] = _chain(pane)
        return detail

    def list_events(
        self,
        caller: Caller,
        *,
        container_id: str | None,
        layout_id: str | None,
        pane_id: str | None,
        after: int,
        limit: int,
    ) -> dict[str, Any]:
        """Managed events with a greater id, in order; ``next`` is the last id shown."""
        rows = layouts.page_of_events(
            container_id=_narrow(caller, container_id),
            layout_id=None if layout_id is None else check_uuid("layout_id", layout_id),
            pane_id=None if pane_id is None else check_uuid("pane_id", pane_id),
            after=after,
            limit=limit,
        )
        return {
            "events": [outbox.view(row) for row in rows],
            "next": rows[-1].id if rows else after,
        }


def layout_item(layout: LayoutRecord, ready: int) -> dict[str, Any]:
    """A layout in a list."""
    return {
        "layout_id": layout.layout_id,
        "container_id": layout.container_id,
        "template_name": layout.template_name,
        "tmux_session_name": layout.tmux_session_name,
        "state": layout.state.value,
        "intended_pane_count": layout.intended_pane_count,
        "ready_pane_count": ready,
        "created_at": to_rfc3339(layout.created_at),
        "origin": "managed",
    }


def pane_view(
    pane: PaneRecord, steps: Sequence[StepRecord], waits: Mapping[str, AttentionRecord]
) -> dict[str, Any]:
    """PANE of managed.md section 3, with the ledger of its stages and what it waits for.

    :param waits: what panes wait for, by the id of their agent.
    """
    own = {step.stage: step for step in steps if step.subject_id == pane.pane_id}
    shown: dict[str, Any] = {
        "pane_id": pane.pane_id,
        "layout_id": pane.layout_id,
        "container_id": pane.container_id,
        "role": pane.role,
        "capability": pane.capability,
        "label": pane.label,
        "state": pane.state.value,
        "tmux_session_name": pane.tmux_session_name,
        "tmux_pane_index": pane.tmux_pane_index,
        "tmux_pane_id": pane.tmux_pane_id,
        "chain_depth": pane.chain_depth,
        "agent_id": pane.agent_id,
        "predecessor_id": pane.predecessor_id,
        "log_attached": pane.log_attached,
        "log_path": pane.log_path if pane.log_attached else None,
        "origin": "managed",
        "slot": pane.slot,
        "launch_command": pane.profile_name,
        "exit_code": pane.exit_code,
        "failure_reason": pane.failure_reason,
        "restart": None if pane.restart is None else json.loads(pane.restart),
        "created_at": to_rfc3339(pane.created_at),
        "stages": _stages_view(own, pane.state),
        "attention": attention_view(waits.get(pane.reserved_agent_id) if _runs(pane) else None),
    }
    if pane.failed_stage is not None:
        shown["failed_stage"] = pane.failed_stage
    return shown


def _runs(pane: PaneRecord) -> bool:
    """Whether its program may still wait for somebody."""
    return pane.state in LABEL_HOLDERS and pane.exit_code is None


def _stages_view(own: Mapping[str, StepRecord], state: State) -> dict[str, Any]:
    shown = {stage: _stage_view(own.get(task), state) for stage, task in STAGES.items()}
    made, launch = shown["pane_create"], shown["launch_command"]
    if made["status"] == "done" and launch["attempts"]:
        # The launch is watched from the pane's first moment; the probe only ends the window.
        launch["started_at"] = made["finished_at"]
    return shown


def check_states(states: Sequence[str]) -> None:
    """:raises ValidationFailed: a state that there is not."""
    for state in states:
        if state not in set(State):
            known = ", ".join(STATE_ORDER)
            raise ValidationFailed("state", f"{state[:40]!a} is no state; one of {known}")


def _stage_view(step: StepRecord | None, state: State) -> dict[str, Any]:
    if step is None:
        return {
            "status": "waiting" if state is State.CREATING else "skipped",
            "attempts": 0,
            "started_at": None,
            "finished_at": None,
            "error": None,
        }
    shown = {
        "status": step.status,
        "attempts": step.attempt,
        "started_at": to_rfc3339_or_none(step.started_at),
        "finished_at": to_rfc3339_or_none(step.finished_at),
        "error": step.error_text,
    }
    if step.status == "pending":
        shown["next_attempt_at"] = to_rfc3339(step.not_before) if step.not_before else None
    if step.status == "running":
        shown["lease_until"] = to_rfc3339_or_none(step.lease_until)
    return shown


def _narrow(caller: Caller, container_ref: str | None) -> str | None:
    """The container that a list is about: the caller's own, or the one the filter names."""
    scope = caller.scope
    if container_ref is None:
        return scope
    ref = normalise_container_ref(container_ref)
    known = containers.by_ref(ref)
    wanted = check_identifier("container_id", ref, max_length=255) if known is None else known.id
    # A bench's lists are narrowed silently (M2): what it may not see is not there.
    return wanted if scope in (None, wanted) else NOWHERE


def _without_terminal(panes: Sequence[PaneRecord]) -> list[PaneRecord]:
    """Leave out removed panes and failed ones that have a successor (M3)."""
    replaced = {pane.predecessor_id for pane in panes}
    return [
        pane
        for pane in panes
        if pane.state is not State.REMOVED
        and not (pane.state is State.FAILED and pane.pane_id in replaced)
    ]


def _chain(pane: PaneRecord) -> list[dict[str, Any]]:
    chain: list[dict[str, Any]] = []
    earlier = pane.predecessor_id
    while earlier is not None and len(chain) < MAX_CHAIN:
        record = layouts.pane(earlier)
        if record is None:
            break
        chain.append(
            {
                "pane_id": record.pane_id,
                "state": record.state.value,
                "chain_depth": record.chain_depth,
                "predecessor_id": record.predecessor_id,
            }
        )
        earlier = record.predecessor_id
    return chain


def _next_cursor(
    kind: str, rows: Sequence[tuple[Any, Any]], limit: int, filters: dict[str, Any]
) -> str | None:
    return encode_cursor(kind, rows[limit - 1][1], filters) if len(rows) > limit else None
