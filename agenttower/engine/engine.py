"""The durable engine: submit an operation, run a step, rescue what a dead worker held.

A step is claimed in one conditional UPDATE, does its effect outside any transaction, and is settled
in one transaction that is conditional on its fence: step result, domain rows, events, next steps
and their messages. It runs steps of any stage that has a handler and knows nothing of what they do.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from agenttower.clock import Clock, Micros
from agenttower.crashpoints import crash_point
from agenttower.domain import lease, retry
from agenttower.engine import presence
from agenttower.engine.handler import Failure, StepHandler, StepQueue
from agenttower.errors import AgentTowerError
from agenttower.store import ledger
from agenttower.store.database import DatabaseBusy, Store, Transaction
from agenttower.store.ledger import ClaimedStep, NewStep, StepRef

log = logging.getLogger(__name__)

MAX_CLAIMS = 20
"""A step claimed this often kills its workers, or never settles: it fails instead."""
INTERNAL = "an internal error; see the worker's log"


class Overtaken(Exception):
    """The step's fence moved on before it could be settled."""


class Engine:
    """Operations and steps of one database. Safe for use by several threads and processes."""

    def __init__(self, store: Store, queue: StepQueue, clock: Clock) -> None:
        self._store = store
        self._queue = queue
        self._clock = clock
        self._handlers: dict[str, StepHandler] = {}

    def register(self, handlers: Mapping[str, StepHandler]) -> None:
        """Say who performs which stage."""
        self._handlers.update(handlers)

    # --- asking ------------------------------------------------------------------------------

    def submit(
        self,
        transaction: Transaction,
        kind: str,
        lane: str,
        *,
        in_line: bool,
        subject_id: str,
        requested_by: str,
        steps: Sequence[NewStep],
    ) -> int:
        """Write an operation, its first steps and their messages in the caller's transaction.

        :param lane: what it works on; operations ``in_line`` run one after another in it (FR-019).
        :return: the operation's id, which is its place in the line.
        """
        now = self._clock()
        operation_id, may_run = ledger.insert_operation(
            kind, lane, in_line=in_line, subject_id=subject_id, requested_by=requested_by, now=now
        )
        written = ledger.insert_steps(self._store, operation_id, lane, steps, now)
        if may_run:
            self._post(transaction, written)
        return operation_id

    def abandon(self, transaction: Transaction, subject_id: str, error: tuple[str, str]) -> None:
        """Fail whatever is still open for a subject, in the caller's transaction.

        An attempt that still runs finds its fence overtaken when it settles.
        """
        self._post(
            transaction,
            ledger.fail_open_steps(self._store, subject_id, error, self._clock()),
        )

    def _post(self, transaction: Transaction, steps: Iterable[StepRef]) -> None:
        for step in steps:
            self._queue.post(step.step_id, step.stage, step.not_before)
            transaction.afterwards("queue", self._queue.ring)

    # --- running -----------------------------------------------------------------------------

    def lane_of(self, step_id: int) -> str | None:
        """What the step works on; ``None`` where there is no such step."""
        return ledger.lane_of(step_id)

    def run(self, step_id: int, owner: str) -> None:
        """Claim, perform and settle one step; nothing happens where somebody else was first."""
        step = self._store.write_patiently(
            lambda _: ledger.claim(
                self._store, step_id, owner=owner, lease_us=lease.LEASE_US, now=self._clock()
            )
        )
        if step is None:
            return
        crash_point(f"{step.stage}.claimed")
        handler = self._handlers[step.stage]
        try:
            if step.attempt > MAX_CLAIMS:
                raise _TooManyClaims
            result = handler.perform(step, time.monotonic() + retry.ATTEMPT_TIMEOUT_S)
        except AgentTowerError as error:
            self._settle_failure(step, handler, error.error_class, error.message)
        except Exception:
            log.exception("step failed unexpectedly", extra={"action": "step_error"})
            self._settle_failure(step, handler, "internal", INTERNAL)
        else:
            crash_point(f"{step.stage}.effect_done")
            self._settle_success(step, handler, result)

    def _settle_success(self, step: ClaimedStep, handler: StepHandler, result: Any) -> None:
        def settle(transaction: Transaction) -> None:
            now = self._clock()
            if not ledger.finish_step(self._store, step, "done", now):
                raise Overtaken
            self._continue(transaction, step, handler.succeeded(transaction, step, result), now)

        try:
            self._settle(step, settle)
        except Overtaken:
            log.warning("step was overtaken", extra={"action": "step_overtaken"})
            handler.overtaken(step, result)
        except DatabaseBusy:
            raise  # the lease decides: the effect stands and will be adopted
        except Exception:
            log.exception("settling failed", extra={"action": "settle_error"})
            self._settle_failure(step, handler, "internal", INTERNAL)

    def _settle_failure(
        self, step: ClaimedStep, handler: StepHandler, error_class: str, reason: str
    ) -> None:
        def settle(transaction: Transaction) -> None:
            now = self._clock()
            decision = retry.decide(error_class, step.failures + 1)
            if isinstance(decision, retry.Retry):
                again = now + decision.delay_us
                if not ledger.release_step(
                    self._store,
                    step,
                    not_before=again,
                    error=(error_class, reason),
                    counts_as_failure=True,
                    now=now,
                ):
                    raise Overtaken
                self._post(transaction, [StepRef(step.step_id, step.stage, again)])
                return
            if not ledger.finish_step(self._store, step, "failed", now, (error_class, reason)):
                raise Overtaken
            following = handler.failed(transaction, step, Failure(error_class, reason))
            self._continue(transaction, step, following, now)

        log.info(
            "step attempt failed: %s: %s", error_class, reason, extra={"action": "step_failed"}
        )
        try:
            self._settle(step, settle)
        except Overtaken:
            log.warning("failed step was overtaken", extra={"action": "step_overtaken"})

    def _continue(
        self,
        transaction: Transaction,
        step: ClaimedStep,
        following: Sequence[NewStep],
        now: Micros,
    ) -> None:
        written = ledger.insert_steps(self._store, step.operation_id, step.lane, following, now)
        if not written:
            written += ledger.finish_operation_if_settled(self._store, step.operation_id, now)
        self._post(transaction, written)

    def _settle(self, step: ClaimedStep, settle: Callable[[Transaction], None]) -> None:
        def settle_between_crash_points(transaction: Transaction) -> None:
            # First in line, so that a kill here falls between the commit and the ring.
            transaction.afterwards("crash", lambda: crash_point(f"{step.stage}.settled"))
            settle(transaction)
            crash_point(f"{step.stage}.settling")

        self._store.write_patiently(settle_between_crash_points)

    # --- rescuing ----------------------------------------------------------------------------

    def rescue(self) -> int:
        """Give back what dead workers held or leases lost, and ring for steps without a message.

        Never runs a step. Each release is conditional on the fence it judged.

        :return: how many steps it rang for.
        """
        now = self._clock()
        presence.bury(self._store, now)
        dead: dict[str, bool] = {}
        rung: list[StepRef] = []
        for held in ledger.leased_steps():
            if held.owner not in dead:
                dead[held.owner] = not presence.is_known_living(held.owner)
            decision = lease.decide_rescue(now, held.lease_until, dead[held.owner])
            if isinstance(decision, lease.Keep):
                continue
            with self._store.transaction() as transaction:
                if ledger.release_step(
                    self._store,
                    held,
                    not_before=now,
                    error=(decision.reason, f"rescued: {decision.reason.replace('_', ' ')}"),
                    counts_as_failure=False,
                    now=now,
                ):
                    step = StepRef(held.step_id, held.stage, now)
                    self._post(transaction, [step])
                    crash_point("rescue.released")
                    rung.append(step)
        if ledger.unrung_steps():
            with self._store.transaction() as transaction:
                silent = ledger.unrung_steps()
                self._post(transaction, silent)
                rung += silent
        return len(rung)

    def resume(self) -> int:
        """Called when a worker starts: rescue, and let the clocks of what was under way restart."""
        with self._store.transaction():
            ledger.restart_clocks(self._clock())
        return self.rescue()


class _TooManyClaims(AgentTowerError):
    error_class = "too_many_claims"

    def __init__(self) -> None:
        super().__init__(
            f"claimed {MAX_CLAIMS} times without ever being settled; see the worker's log"
        )
