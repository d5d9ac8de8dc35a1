"""Delivering prompts: each is claimed, typed at most once, and settled, come what may.

Legacy surfaces part 2, section 4. The stamp of the attempt commits before tmux is asked anything.
So whoever finds a prompt in flight knows that its text may have been pasted, and never pastes it.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from agenttower.bench.interface import PaneTarget
from agenttower.bench.registry import Benches
from agenttower.crashpoints import crash_point
from agenttower.domain.prompts import (
    BlockReason,
    FailureReason,
    Situation,
    block_reason,
    headers,
)
from agenttower.errors import AgentTowerError, BenchError
from agenttower.services.prompt_changes import PromptChanges
from agenttower.services.switch import RoutingSwitch
from agenttower.services.typist import CALL_S, NotTyped, Reader, Typed, Typist
from agenttower.store import prompts, targets
from agenttower.store.database import DatabaseBusy, Store, Transaction
from agenttower.store.prompts import PromptRecord
from agenttower.store.targets import Addressee, PaneAddress

log = logging.getLogger(__name__)

LOCK_PAUSES_S = (0.01, 0.05, 0.25)
"""Between the tries of a write while the database is locked (section 4.3)."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A prompt that is this worker's to deliver, and where to."""

    prompt: PromptRecord
    pane: PaneAddress
    capability: str


Outcome = Typed | NotTyped
T = TypeVar("T")


class Delivery:
    """Delivers the prompts of one database, as one worker.

    :param owner: the worker's id; whatever another one has in flight is interrupted.
    """

    def __init__(
        self,
        store: Store,
        benches: Benches,
        changes: PromptChanges,
        switch: RoutingSwitch,
        reader: Reader,
        owner: str,
        *,
        routes_prompt_masters: bool = False,
    ) -> None:
        self._store = store
        self._benches = benches
        self._changes = changes
        self._switch = switch
        self._reader = reader
        self._owner = owner
        self._routes_prompt_masters = routes_prompt_masters
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._unsettled: list[tuple[PromptRecord, Outcome]] = []

    def stop(self) -> None:
        """Wait for no pane any more, and claim nothing."""
        self._stopping.set()

    # --- at start --------------------------------------------------------------------------------

    def interrupt_orphans(self) -> list[PromptRecord]:
        """Fail what dead workers had in flight; it is never pasted again (section 4.3).

        To be called before anything is delivered. :raises DatabaseBusy: nothing may begin then.
        """

        def interrupt(transaction: Transaction) -> list[PromptRecord]:
            orphans = [p for p in prompts.in_flight() if p.lease_owner != self._owner]
            for prompt in orphans:
                self._changes.failed(
                    transaction,
                    prompt,
                    FailureReason.ATTEMPT_INTERRUPTED,
                    "the worker ended while it delivered this prompt; its text may have reached "
                    "the pane: look there before you send it again",
                )
            return orphans

        return self._store.write_patiently(interrupt)

    def clear_after(self, orphans: Sequence[PromptRecord]) -> None:
        """Take away the paste buffers that an interrupted delivery may have left."""
        places = {
            (prompt.target_container_id, json.loads(prompt.target_pane)["tmux_socket_path"])
            for prompt in orphans
        }
        for container_id, socket_path in sorted(places):
            try:
                bench = self._benches.get(container_id)
                bench.clear_pastes(socket_path, time.monotonic() + CALL_S)
            except BenchError as error:
                log.info(
                    "paste buffers not looked at: %s",
                    error.message,
                    extra={"action": "pastes_left"},
                )

    # --- one prompt ------------------------------------------------------------------------------

    def release_due(self) -> float | None:
        """Let prompts go on whose delay is over.

        :return: seconds until the next delay ends; ``None`` where nothing is delayed for a time.
        """
        until = self._changes.until_due()
        if until == 0:
            self._store_patiently(self._changes.release_due)
            crash_point("prompt.released")
            until = self._changes.until_due()
        return until

    def waiting(self) -> list[tuple[str, str]]:
        """Agents for whom a prompt may be delivered, each with its container."""
        return prompts.waiting_targets() if self._switch.is_enabled() else []

    def deliver_next(self, target_agent_id: str) -> bool:
        """Deliver the oldest prompt that waits for an agent; ``False`` where there is none."""
        try:
            claimed = self._store_patiently(lambda tx: self._claim(tx, target_agent_id))
        except DatabaseBusy as error:
            log.warning("a prompt waits: %s", error.message, extra={"action": "prompt_waits"})
            return False
        if claimed is None:
            return False
        crash_point("prompt.claimed")
        self._settle(claimed.prompt, self._attempt(claimed))
        return True

    def _claim(self, transaction: Transaction, target_agent_id: str) -> Claimed | None:
        """Look again at the oldest prompt, then stamp it; what may not go is blocked on the way."""
        while not self._stopping.is_set():
            prompt = prompts.next_in_line(target_agent_id)
            if prompt is None or not self._switch.is_enabled():
                return None
            target = targets.addressee(target_agent_id)
            if target is not None and target.pane is not None and target.pane.leaving:
                return None
            reason = self._in_the_way(prompt, target)
            if reason is None:
                assert target is not None
                assert target.pane is not None
                now = self._changes.moment(prompt)
                stamped = prompts.change(
                    prompt, now, delivery_attempt_started_at=now, lease_owner=self._owner
                )
                assert stamped is not None, "read in this very transaction"
                self._changes.ring(transaction, delivers=False)
                return Claimed(stamped, target.pane, target.agent.capability)
            self._changes.block(transaction, prompt, reason)
        return None

    def _in_the_way(self, prompt: PromptRecord, target: Addressee | None) -> BlockReason | None:
        """Section 4.2, point 1; the sender was judged when the prompt was accepted."""
        if target is None:
            return BlockReason.TARGET_NOT_ACTIVE
        agent, key = target.agent, json.loads(prompt.target_pane)
        same_pane = (key["tmux_socket_path"], key["tmux_pane_id"]) == (
            agent.tmux_socket_path,
            agent.tmux_pane_id,
        )
        return block_reason(
            Situation(
                routing_enabled=True,
                target_active=agent.active,
                target_role=agent.role,
                container_active=target.container_active,
                pane_present=target.pane is not None and same_pane,
                reports=self._routes_prompt_masters and prompt.origin == "route",
            )
        )

    def _attempt(self, claimed: Claimed) -> Outcome:
        """Type the prompt; whatever happens, there is an outcome."""
        prompt, pane = claimed.prompt, claimed.pane
        try:
            if pane.exit_code is not None:
                raise NotTyped(
                    FailureReason.PANE_NOT_READY,
                    f"the program in the pane has ended with code {pane.exit_code}; "
                    "nothing was pasted",
                )
            body = prompts.body(prompt.message_id)
            head = headers(prompt.message_id, prompt.sender, prompt.target, prompt.form)
            typist = Typist(
                self._benches.get(prompt.target_container_id),
                PaneTarget(pane.socket_path, pane.pane_id, pane.pane_pid, pane.token),
                claimed.capability,
                self._reader,
                self._stopping.is_set,
            )
            return typist.type(head + body, body)
        except NotTyped as failure:
            return failure
        except BenchError as error:  # the bench could not even be opened
            return NotTyped(
                FailureReason.DOCKER_EXEC_FAILED, f"{error.message}; nothing was pasted"
            )
        except Exception as error:
            log.exception("delivery failed unexpectedly", extra={"action": "prompt_error"})
            known = error.message if isinstance(error, AgentTowerError) else "an internal error"
            return NotTyped(
                FailureReason.TMUX_PASTE_FAILED,
                f"{known}; the text may stand in the pane: see the worker's log",
            )

    # --- settling --------------------------------------------------------------------------------

    def _settle(self, prompt: PromptRecord, outcome: Outcome) -> None:
        """Write down what became of it; what cannot be written now is written later."""
        try:
            self._store_patiently(lambda tx: self._write(tx, prompt, outcome))
        except Exception:
            log.exception("a delivery cannot be settled yet", extra={"action": "prompt_waits"})
            with self._lock:
                self._unsettled.append((prompt, outcome))
        crash_point("prompt.settled")

    def settle_late(self) -> None:
        """Write what could not be written: as a failure of the database, with what really was.

        Until then the prompt is in flight, and nothing else goes to its agent.
        """
        with self._lock:
            waiting, self._unsettled = self._unsettled, []
        for prompt, outcome in waiting:
            self._settle(prompt, _late(outcome))

    def _write(self, transaction: Transaction, prompt: PromptRecord, outcome: Outcome) -> None:
        if isinstance(outcome, Typed):
            self._changes.delivered(transaction, prompt, outcome.submission, outcome.reason)
        else:
            self._changes.failed(transaction, prompt, outcome.reason, outcome.detail)
        crash_point("prompt.settling")

    def _store_patiently(self, write: Callable[[Transaction], T]) -> T:
        """Section 4.3: three more tries while the database is locked."""
        for pause in LOCK_PAUSES_S:
            try:
                with self._store.transaction() as transaction:
                    return write(transaction)
            except DatabaseBusy:
                time.sleep(pause)
        with self._store.transaction() as transaction:
            return write(transaction)


def _late(outcome: Outcome) -> NotTyped:
    if isinstance(outcome, NotTyped) and outcome.reason is FailureReason.SQLITE_LOCK_CONFLICT:
        return outcome
    what = "was delivered" if isinstance(outcome, Typed) else f"failed: {outcome.detail}"
    return NotTyped(
        FailureReason.SQLITE_LOCK_CONFLICT,
        f"the prompt {what}; the database was locked when that was to be written",
    )
