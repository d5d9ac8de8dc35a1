"""Restarting panes whose programs failed, where their profile asks for it.

When, and when not, is for :mod:`agenttower.domain.restart` to say. A restart is a durable operation
like any other: restart → tmux_kill → route_cleanup → log_detach → archive → restart_recreate. Its
wait is a row, and a crash anywhere resumes it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from agenttower.bench.interface import Deadline
from agenttower.clock import Clock, to_rfc3339
from agenttower.domain import events
from agenttower.domain.restart import Brake, End, Restart, RestartPolicy, decide
from agenttower.domain.states import State
from agenttower.engine.engine import Engine
from agenttower.engine.handler import Failure, StepHandler
from agenttower.services.caller import HOST
from agenttower.services.managed import removal, transitions
from agenttower.services.managed.pane_stage import PaneStage, Parts
from agenttower.services.managed.recreation import Recreate, Recreation
from agenttower.store import layouts, ledger
from agenttower.store.database import Store, Transaction
from agenttower.store.layouts import PaneRecord
from agenttower.store.ledger import ClaimedStep, NewStep

OPERATION = "restart"
STAGES = ("restart", "restart_recreate")


class Restarts:
    """Orders restarts, in the transaction that learns of a program's end."""

    def __init__(self, store: Store, engine: Engine, clock: Clock) -> None:
        self._store = store
        self._engine = engine
        self._clock = clock

    def consider(self, transaction: Transaction, pane_id: str) -> None:
        """The pane has just become degraded because its program ended: decide what follows."""
        pane = layouts.pane(pane_id)
        assert pane is not None
        if pane.state is not State.DEGRADED or pane.exit_code is None:
            return
        decision = decide(_policy(pane), _ends(pane))
        if isinstance(decision, Brake):
            stop(self._store, pane, decision.reason, self._clock())
        elif isinstance(decision, Restart):
            self._order(transaction, pane, decision)

    def _order(self, transaction: Transaction, pane: PaneRecord, restart: Restart) -> None:
        now = self._clock()
        due = now + restart.delay_us
        transitions.note(
            self._store,
            pane,
            [events.restart_scheduled(restart.attempt, restart.delay_us // 1000)],
            now,
            restart=json.dumps({"attempt": restart.attempt, "next_at": to_rfc3339(due)}),
        )
        self._engine.submit(
            transaction,
            OPERATION,
            pane.container_id,
            in_line=False,
            subject_id=pane.pane_id,
            requested_by="daemon",
            steps=[NewStep("restart", pane.pane_id, due)],
        )


def stop(store: Store, pane: PaneRecord, reason: str, now: int) -> None:
    """Tell that a pane is not restarted, and why."""
    transitions.note(
        store,
        pane,
        [events.restart_stopped(reason)],
        now,
        restart=json.dumps({"stopped": reason}),
    )


class RestartBegin(PaneStage):
    """The wait is over: clear the pane away, unless somebody did something with it meanwhile."""

    def perform(self, step: ClaimedStep, deadline: Deadline) -> None:
        """Nothing outside the database."""

    def succeeded(
        self, transaction: Transaction, step: ClaimedStep, result: None
    ) -> Sequence[NewStep]:
        pane = self._pane(step)
        removing = ledger.is_under_way(pane.pane_id, removal.STAGES)
        if pane.state is not State.DEGRADED or removing:
            return ()
        return [NewStep("tmux_kill", pane.pane_id)]

    def failed(
        self, transaction: Transaction, step: ClaimedStep, failure: Failure
    ) -> Sequence[NewStep]:
        self._tell(transaction)
        stop(self._store, self._pane(step), failure.reason, self._parts.clock())
        return ()


class RestartRecreate(PaneStage):
    """Order the successor, as an operator would (M7); the key makes a repeat harmless."""

    def __init__(self, parts: Parts, recreation: Recreation) -> None:
        super().__init__(parts)
        self._recreation = recreation

    def perform(self, step: ClaimedStep, deadline: Deadline) -> dict[str, Any]:
        if removal.restart_is_stopped(self._pane(step)):
            return {}  # the operator removed it meanwhile, and that is that
        request = Recreate(step.subject_id, idempotency_key=f"restart-{step.subject_id}")
        return self._recreation.recreate(HOST, request, actor="daemon")

    def succeeded(
        self, transaction: Transaction, step: ClaimedStep, result: dict[str, Any]
    ) -> Sequence[NewStep]:
        return ()

    def failed(
        self, transaction: Transaction, step: ClaimedStep, failure: Failure
    ) -> Sequence[NewStep]:
        self._tell(transaction)
        stop(self._store, self._pane(step), failure.reason, self._parts.clock())
        return ()


def handlers(parts: Parts, recreation: Recreation) -> dict[str, StepHandler]:
    """The stages of a restart that are its own, by the names of their Huey tasks."""
    return {
        "restart": RestartBegin(parts),
        "restart_recreate": RestartRecreate(parts, recreation),
    }


def _policy(pane: PaneRecord) -> RestartPolicy | None:
    stored = json.loads(pane.launch).get("restart")
    return None if stored is None else RestartPolicy(**stored)


def _ends(pane: PaneRecord) -> list[End]:
    """How the programs of the chain ended, the newest first."""
    ends: list[End] = []
    link: PaneRecord | None = pane
    while link is not None and link.exit_code is not None:
        ends.append(End(link.exit_code, link.exit_elapsed_ms or 0))
        link = None if link.predecessor_id is None else layouts.pane(link.predecessor_id)
    return ends
