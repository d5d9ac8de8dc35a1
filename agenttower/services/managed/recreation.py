"""Recreating a pane that failed or was removed (M7): a successor in the same slot."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agenttower.bench.registry import Benches
from agenttower.clock import Clock
from agenttower.crashpoints import crash_point
from agenttower.domain import events
from agenttower.domain.events import Actor
from agenttower.domain.identifiers import check_identifier, new_agent_id
from agenttower.domain.states import LABEL_HOLDERS, State
from agenttower.engine import presence
from agenttower.engine.engine import Engine
from agenttower.errors import (
    ConcurrentRecreate,
    IllegalRecreateSource,
    LayoutCapacityExceeded,
    PaneLabelConflict,
    RecreateChainTooDeep,
    SessionNameConflict,
    WorkerUnavailable,
)
from agenttower.paths import Paths
from agenttower.services.caller import Caller
from agenttower.services.catalog import Catalog
from agenttower.services.managed import transitions
from agenttower.services.managed.create import MAX_LAYOUTS, launch_document
from agenttower.services.managed.health_gate import HealthGate
from agenttower.services.managed.removal import managed_pane
from agenttower.store import layouts
from agenttower.store.database import Store, Transaction
from agenttower.store.layouts import LayoutRecord, PaneRecord
from agenttower.store.ledger import NewStep

MAX_CHAIN_DEPTH = 16
"""FR-023: how many panes a chain may have."""


@dataclass(frozen=True, slots=True)
class Recreate:
    """M7's parameters."""

    predecessor_pane_id: str
    launch_command_override: str | None = None
    idempotency_key: str | None = None


class Recreation:
    """The service behind ``managed.pane.recreate``."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        benches: Benches,
        catalog: Catalog,
        paths: Paths,
        clock: Clock,
        wake_readers: Callable[[], None],
    ) -> None:
        self._store = store
        self._engine = engine
        self._gate = HealthGate(benches)
        self._catalog = catalog
        self._paths = paths
        self._clock = clock
        self._wake_readers = wake_readers

    def recreate(
        self, caller: Caller, request: Recreate, *, actor: Actor = "operator"
    ) -> dict[str, Any]:
        """Accept a successor and enqueue its creation.

        :raises AgentTowerError: the errors of M7; nothing has happened then.
        """
        if request.idempotency_key is not None:
            check_identifier("idempotency_key", request.idempotency_key)
        source = managed_pane(caller, "predecessor_pane_id", request.predecessor_pane_id)
        replayed = _replay(source, request)
        if replayed is not None:
            return replayed
        _admit(source)
        name = request.launch_command_override or source.profile_name
        launch = launch_document(None if name is None else self._catalog.profile(name))
        container = self._gate.running_container(source.container_id)
        layout = _layout_of(source)
        with self._store.snapshot():
            # Of one moment: a rival's successor holds the label, and is to be told as a rival.
            _admit(_again(source))
            _admit_rows(source, layout)
        self._gate.refuse_foreign_session(
            container, layout.tmux_session_name, owner=layout.layout_id
        )
        if not presence.heard_of_a_worker(self._clock()):
            raise WorkerUnavailable
        with self._store.transaction() as transaction:
            replayed = _replay(source, request)
            if replayed is not None:
                return replayed
            current = _again(source)
            _admit(current)
            _admit_rows(current, _layout_of(current))
            transaction.afterwards("crash", lambda: crash_point("recreate.committed"))
            pane_id = self._write(transaction, current, name, launch, request, actor)
            crash_point("recreate.committing")
            transaction.afterwards("readers", self._wake_readers)
        successor = layouts.pane(pane_id)
        assert successor is not None
        return _accepted(successor, replay=False)

    def _write(
        self,
        transaction: Transaction,
        source: PaneRecord,
        profile_name: str | None,
        launch: str,
        request: Recreate,
        actor: Actor,
    ) -> str:
        now = self._clock()
        pane_id = str(uuid.uuid4())
        agent_id = new_agent_id(os.urandom)
        marker = request.idempotency_key or str(uuid.uuid4())
        layouts.insert_pane(
            {
                "pane_id": pane_id,
                "layout_id": source.layout_id,
                "container_id": source.container_id,
                "slot": source.slot,
                "role": source.role,
                "capability": source.capability,
                "label": source.label,
                "state": State.CREATING.value,
                "profile_name": profile_name,
                "launch": launch,
                "tmux_session_name": source.tmux_session_name,
                "chain_depth": source.chain_depth + 1,
                "predecessor_id": source.pane_id,
                "idempotency_key": request.idempotency_key,
                "pending_marker_token": marker,
                "reserved_agent_id": agent_id,
                "log_path": str(self._paths.logs_dir / source.container_id / f"{agent_id}.log"),
                "log_attached": False,
                "created_at": now,
                "updated_at": now,
            }
        )
        transitions.announce(
            self._store,
            source.layout_id,
            pane_id,
            [
                events.pane_recreated(source.pane_id, source.chain_depth + 1),
                events.pending_marker_set(marker),
            ],
            actor=actor,
            now=now,
        )
        self._engine.submit(
            transaction,
            "recreate",
            source.container_id,
            in_line=True,
            subject_id=pane_id,
            requested_by=actor,
            steps=[NewStep("pane_create", pane_id)],
        )
        return pane_id


def _replay(source: PaneRecord, request: Recreate) -> dict[str, Any] | None:
    if request.idempotency_key is None:
        return None
    for successor in layouts.successors(source.pane_id):
        if successor.idempotency_key == request.idempotency_key:
            return _accepted(successor, replay=True)
    return None


def _admit(source: PaneRecord) -> None:
    """The checks on the predecessor itself; exact only inside the transaction."""
    if source.state not in (State.REMOVED, State.FAILED):
        raise IllegalRecreateSource(source.pane_id, source.state.value)
    if source.chain_depth + 1 >= MAX_CHAIN_DEPTH:
        raise RecreateChainTooDeep(source.pane_id, source.chain_depth, MAX_CHAIN_DEPTH)
    for successor in layouts.successors(source.pane_id):
        if successor.state in LABEL_HOLDERS:
            raise ConcurrentRecreate(source.pane_id, successor.pane_id)


def _admit_rows(source: PaneRecord, layout: LayoutRecord) -> None:
    """Label, session and capacity, which others may have taken meanwhile."""
    held = layouts.label_holder(source.container_id, [source.label])
    if held is not None:
        label, holder = held
        raise PaneLabelConflict(
            source.container_id, label, f"{holder.tmux_session_name} ({holder.layout_id})"
        )
    if layouts.session_holder(layout.container_id, layout.tmux_session_target) not in (
        None,
        layout.layout_id,
    ):
        raise SessionNameConflict(layout.container_id, layout.tmux_session_name)
    if layout.state is State.REMOVED:
        count = layouts.count_layouts()
        if count >= MAX_LAYOUTS:
            raise LayoutCapacityExceeded(count, MAX_LAYOUTS)


def _again(pane: PaneRecord) -> PaneRecord:
    """The row as it is now."""
    current = layouts.pane(pane.pane_id)
    assert current is not None, "panes are never deleted"
    return current


def _layout_of(pane: PaneRecord) -> LayoutRecord:
    layout = layouts.layout(pane.layout_id)
    assert layout is not None, "a pane's row refers to its layout's"
    return layout


def _accepted(successor: PaneRecord, *, replay: bool) -> dict[str, Any]:
    return {
        "pane_id": successor.pane_id,
        "predecessor_id": successor.predecessor_id,
        "chain_depth": successor.chain_depth,
        "state": successor.state.value,
        "replay": replay,
    }
