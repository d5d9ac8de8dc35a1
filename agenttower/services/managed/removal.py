"""Removing panes and layouts (M6, M9): durable operations that can be asked for again and again.

tmux_kill → route_cleanup → log_detach → archive. A pane that is gone counts as killed. Removals do
not wait behind creations; each pane's steps run on their own, so that one that cannot be killed
does not hold up the others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from agenttower.bench.interface import Deadline
from agenttower.clock import Clock
from agenttower.crashpoints import crash_point
from agenttower.domain import events
from agenttower.domain.identifiers import check_identifier, check_uuid
from agenttower.domain.states import Stage, State
from agenttower.engine import presence
from agenttower.engine.engine import Engine
from agenttower.engine.handler import Failure, StepHandler
from agenttower.errors import (
    ContainerInactive,
    ContainerNotFound,
    LayoutNotFound,
    PaneIllegalTransition,
    PaneNotFound,
    PaneProtectedAdopted,
    RemovalFailed,
    WorkerUnavailable,
)
from agenttower.services.caller import Caller
from agenttower.services.managed import transitions
from agenttower.services.managed.pane_stage import PaneStage, Parts
from agenttower.store import agents, layouts, ledger, log_attaching
from agenttower.store.database import Store, Transaction
from agenttower.store.layouts import PaneRecord
from agenttower.store.ledger import ClaimedStep, NewStep


class Removal:
    """The service behind ``managed.pane.remove`` and ``managed.layout.remove``."""

    def __init__(self, store: Store, engine: Engine, clock: Clock) -> None:
        self._store = store
        self._engine = engine
        self._clock = clock

    def begin_pane(self, caller: Caller, pane_id: str) -> None:
        """Order the removal of one pane, unless it is under way or done.

        :raises PaneNotFound: neither registry knows it.
        :raises PaneProtectedAdopted: it is an agent that AgentTower did not make (FR-012).
        :raises PaneIllegalTransition: it is still being created.
        """
        pane = managed_pane(caller, "pane_id", pane_id)
        with self._store.transaction() as transaction:
            now_there = layouts.pane(pane.pane_id)
            assert now_there is not None
            self._order(transaction, now_there.layout_id, [now_there])

    def begin_layout(self, caller: Caller, layout_id: str) -> None:
        """Order the removal of every pane of a layout.

        :raises LayoutNotFound: there is none.
        :raises PaneIllegalTransition: one of its panes is still being created; nothing is removed.
        """
        layout_id = check_uuid("layout_id", layout_id)
        layout = layouts.layout(layout_id)
        caller.require_container(None if layout is None else layout.container_id)
        if layout is None:
            raise LayoutNotFound(layout_id)
        with self._store.transaction() as transaction:
            self._order(transaction, layout_id, layouts.current_panes(layout_id))

    def _order(self, transaction: Transaction, layout_id: str, panes: Sequence[PaneRecord]) -> None:
        for pane in panes:
            if pane.state is State.CREATING:
                raise PaneIllegalTransition(pane.pane_id, pane.state.value, "remove")
        under_way = {p.pane_id for p in panes if ledger.is_under_way(p.pane_id, CLEARING)}
        for pane in panes:
            if pane.pane_id in under_way:
                self._stop_restart(pane)
        wanted = [
            pane
            for pane in panes
            if pane.state is not State.REMOVED and pane.pane_id not in under_way
        ]
        if not wanted:
            return
        if not presence.heard_of_a_worker(self._clock()):
            raise WorkerUnavailable
        transaction.afterwards("crash", lambda: crash_point("remove.committed"))
        self._engine.submit(
            transaction,
            "remove",
            wanted[0].container_id,
            in_line=False,
            subject_id=layout_id,
            requested_by="operator",
            steps=[NewStep("tmux_kill", pane.pane_id) for pane in wanted],
        )
        crash_point("remove.committing")

    def _stop_restart(self, pane: PaneRecord) -> None:
        """A restart that is clearing the pane away goes no further than that."""
        if pane.restart is None or restart_is_stopped(pane):
            return
        reason = "the pane was removed"
        transitions.note(
            self._store,
            pane,
            [events.restart_stopped(reason)],
            self._clock(),
            restart=json.dumps({"stopped": reason}),
        )

    def pane_outcome(self, pane_id: str) -> dict[str, Any] | None:
        """M6's result once the pane is removed; ``None`` while it is under way.

        :raises RemovalFailed: the last try failed for good.
        """
        # In this order: what ends between the two looks has then been written by the second.
        under_way = ledger.is_under_way(pane_id.lower(), STAGES)
        pane = layouts.pane(pane_id.lower())
        if pane is None:
            raise PaneNotFound(pane_id)
        if pane.state is State.REMOVED:
            return {"pane_id": pane.pane_id, "state": pane.state.value}
        if under_way:
            return None
        raise RemovalFailed(pane.label, pane_id, pane.failure_reason or "see the worker's log")

    def layout_outcome(self, layout_id: str) -> dict[str, Any] | None:
        """M9's result once every pane is removed; ``None`` while one is under way.

        :raises RemovalFailed: a pane could not be removed; names the first one.
        """
        layout_id = layout_id.lower()
        panes = layouts.current_panes(layout_id)
        if any(ledger.is_under_way(pane.pane_id, STAGES) for pane in panes):
            return None
        panes = layouts.current_panes(layout_id)
        for pane in panes:
            self.pane_outcome(pane.pane_id)
        layout = layouts.layout(layout_id)
        assert layout is not None
        return {
            "layout_id": layout_id,
            "state": layout.state.value,
            "panes": [{"pane_id": pane.pane_id, "state": pane.state.value} for pane in panes],
        }


def managed_pane(caller: Caller, field: str, pane_id: str) -> PaneRecord:
    """The managed pane that a destructive request names, if the caller may touch it.

    :raises ValidationFailed: what was given can be no id.
    :raises PaneProtectedAdopted: it is the id of an adopted agent (FR-012, SC-005).
    :raises PaneNotFound: neither registry knows it.
    :raises HostOnly: it is in another container than the caller's (R12).
    """
    check_identifier(field, pane_id)
    pane = layouts.pane(pane_id.lower())
    agent = agents.by_id(pane_id) if pane is None else None
    holder = pane or agent
    caller.require_container(None if holder is None else holder.container_id)
    if agent is not None and agent.origin == "adopted":
        raise PaneProtectedAdopted(agent.agent_id)
    if pane is None:
        raise PaneNotFound(pane_id)
    return pane


class RemovalStage(PaneStage):
    """A stage of a removal; where it fails for good the pane stays as it is and says why."""

    def failed(
        self, transaction: Transaction, step: ClaimedStep, failure: Failure
    ) -> Sequence[NewStep]:
        pane = self._pane(step)
        self._tell(transaction)
        transitions.note(
            self._store,
            pane,
            [],
            self._parts.clock(),
            failed_stage=Stage.TMUX_KILL.value,
            failure_reason=failure.reason,
        )
        return ()


class TmuxKill(RemovalStage):
    """Kill the tmux pane and everything in it."""

    def perform(self, step: ClaimedStep, deadline: Deadline) -> None:
        pane = self._pane(step)
        try:
            self._bench(pane).kill_pane(pane.tmux_token, deadline)
        except (ContainerInactive, ContainerNotFound):
            if self._is_paused(pane):
                raise  # its processes are frozen, not gone
            # A container that does not run has no panes.

    def succeeded(
        self, transaction: Transaction, step: ClaimedStep, result: None
    ) -> Sequence[NewStep]:
        return [NewStep("route_cleanup", step.subject_id)]


class RouteCleanup(RemovalStage):
    """Take the agent out of the registry's active part, and what names it: nothing is sent to it,
    and no route speaks of it, any more."""

    def perform(self, step: ClaimedStep, deadline: Deadline) -> None:
        """Nothing outside the database."""

    def succeeded(
        self, transaction: Transaction, step: ClaimedStep, result: None
    ) -> Sequence[NewStep]:
        agent_id = self._pane(step).reserved_agent_id
        agents.deactivate(agent_id)
        self._parts.on_agent_removed(transaction, agent_id)
        return [NewStep("log_detach", step.subject_id)]


class LogDetach(RemovalStage):
    """End the log attachment; the pipe has ended with the pane, the file is kept."""

    def perform(self, step: ClaimedStep, deadline: Deadline) -> None:
        """Nothing outside the database."""

    def succeeded(
        self, transaction: Transaction, step: ClaimedStep, result: None
    ) -> Sequence[NewStep]:
        log_attaching.end(self._pane(step).reserved_agent_id, "detached", self._parts.clock())
        return [NewStep("archive", step.subject_id)]


class Archive(RemovalStage):
    """Move the pane to ``removed``; its row and its events stay for ever."""

    def perform(self, step: ClaimedStep, deadline: Deadline) -> None:
        """Nothing outside the database."""

    def succeeded(
        self, transaction: Transaction, step: ClaimedStep, result: None
    ) -> Sequence[NewStep]:
        pane = self._pane(step)
        # A restart clears its pane away like any removal, and goes on from here.
        restarting = ledger.operation_kind(step.operation_id) == "restart"
        self._tell(transaction)
        transitions.change_state(
            self._store,
            pane,
            State.REMOVED,
            now=self._parts.clock(),
            actor="daemon" if restarting else "operator",
            before=[events.pane_removed(tmux_kill_succeeded=True)],
            log_attached=False,
        )
        goes_on = restarting and not restart_is_stopped(pane)
        return [NewStep("restart_recreate", pane.pane_id)] if goes_on else ()


def restart_is_stopped(pane: PaneRecord) -> bool:
    """Whether it has been decided that the pane is not restarted."""
    return pane.restart is not None and "stopped" in json.loads(pane.restart)


STAGES = ("tmux_kill", "route_cleanup", "log_detach", "archive")

CLEARING = (*STAGES, "restart_recreate")
"""Open steps that mean: the pane is being cleared away, by a removal or by a restart."""


def handlers(parts: Parts) -> dict[str, StepHandler]:
    """The stages of a removal by the names of their Huey tasks."""
    return {
        "tmux_kill": TmuxKill(parts),
        "route_cleanup": RouteCleanup(parts),
        "log_detach": LogDetach(parts),
        "archive": Archive(parts),
    }
