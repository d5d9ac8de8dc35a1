"""The pending-marker sweep (FR-022): the backstop behind retries and rescue.

A pane that has been creating for five minutes of its operation's execution, and on which nobody
works at this moment, is given up. The clock starts with the operation's first step and anew when a
worker resumes it, so that neither waiting in line nor a stopped worker counts.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from itertools import groupby

from agenttower.bench.registry import Benches
from agenttower.clock import SECOND, Clock, Micros
from agenttower.domain.states import Stage, State
from agenttower.engine.engine import Engine
from agenttower.errors import AgentTowerError
from agenttower.services.managed import transitions
from agenttower.services.managed.pane_stage import without_secrets
from agenttower.store import agents, layouts, ledger, log_attaching
from agenttower.store.database import Store, Transaction
from agenttower.store.layouts import PaneRecord
from agenttower.store.ledger import NewStep

log = logging.getLogger(__name__)

MARKER_TIMEOUT: Micros = 300 * SECOND
PROBE_S = 3.0


WITNESS_S = 180.0
"""How long this process must have watched a pane being created, by a clock that is never set."""


class MarkerSweep:
    """Run every 60 s and when a worker starts.

    Age goes by the wall clock, which somebody may set forward; so a pane is given up only if this
    process itself has seen it creating for a good part of the time.
    """

    def __init__(
        self,
        store: Store,
        engine: Engine,
        benches: Benches,
        clock: Clock,
        wake_readers: Callable[[], None],
        witness_s: float = WITNESS_S,
    ) -> None:
        self._store = store
        self._engine = engine
        self._benches = benches
        self._clock = clock
        self._wake_readers = wake_readers
        self._witness_s = witness_s
        self._seen: dict[str, float] = {}

    def run(self) -> int:
        """Give up what has been creating for too long; returns how many panes."""
        swept = 0
        witnessed = self._witnessed()
        stale = [
            pane
            for pane in layouts.stale_creations(self._clock() - MARKER_TIMEOUT)
            if pane.pane_id in witnessed and not self._is_worked_on(pane)
        ]
        # By layout: its operation closes with its last open step, and must not leave a pane behind.
        for _, panes in groupby(stale, key=lambda pane: pane.layout_id):
            swept += self._give_up([(pane, self._backed_by_tmux(pane)) for pane in panes])
        return swept

    def _witnessed(self) -> set[str]:
        now = time.monotonic()
        creating = layouts.creating_ids()
        self._seen = {pane_id: self._seen.get(pane_id, now) for pane_id in creating}
        return {pane_id for pane_id, at in self._seen.items() if now - at >= self._witness_s}

    def _is_worked_on(self, pane: PaneRecord) -> bool:
        now = self._clock()
        return any(
            step.status == "running" and (step.lease_until or 0) > now
            for step in ledger.steps_of([pane.pane_id])
        )

    def _backed_by_tmux(self, pane: PaneRecord) -> bool:
        """Whether a tmux pane exists; where nobody can look, what the row says."""
        try:
            bench = self._benches.get(pane.container_id)
            found = bench.find_panes([pane.tmux_token], time.monotonic() + PROBE_S)
        except AgentTowerError:
            return pane.tmux_pane_id is not None
        return bool(found)

    def _give_up(self, panes: Sequence[tuple[PaneRecord, bool]]) -> int:
        with self._store.transaction() as transaction:
            swept = sum(self._fail(transaction, pane, backed) for pane, backed in panes)
            if swept:
                transaction.afterwards("readers", self._wake_readers)
        return swept

    def _fail(self, transaction: Transaction, pane: PaneRecord, backed: bool) -> bool:
        stage = Stage.REGISTRATION if backed else Stage.PANE_CREATE
        reason = "creation did not finish within 5 minutes; " + (
            "its tmux pane stands, unregistered" if backed else "no tmux pane backs it"
        )
        now = self._clock()
        # Conditional on `creating`: a pane that settled meanwhile is left alone.
        gone = transitions.change_state(
            self._store,
            pane,
            State.FAILED,
            now=now,
            stage=stage,
            reason=reason,
            launch=without_secrets(pane),
        )
        if gone:
            agents.deactivate(pane.reserved_agent_id)
            log_attaching.end(pane.reserved_agent_id, "stale", now)
            self._engine.abandon(transaction, pane.pane_id, ("marker_swept", reason))
            self._tidy(transaction, pane)
            log.warning("pending marker swept: %s", pane.pane_id, extra={"action": "sweep"})
        return gone

    def _tidy(self, transaction: Transaction, pane: PaneRecord) -> None:
        """A tmux pane that stands after all must not keep the marker (managed.md section 7)."""
        self._engine.submit(
            transaction,
            "tidy",
            pane.container_id,
            in_line=False,
            subject_id=pane.pane_id,
            requested_by="daemon",
            steps=[NewStep("title_reset", pane.pane_id)],
        )
