"""The one way in which a prompt changes its state: row and audit line together.

Legacy surfaces part 2, sections 3.2 and 8.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agenttower.clock import SECOND, Clock, Micros, to_millis
from agenttower.domain.attribution import NOBODY, Attribution
from agenttower.domain.events import Actor
from agenttower.domain.prompts import (
    BlockReason,
    FailureReason,
    PromptState,
    may_change,
)
from agenttower.services.prompt_views import identity_view
from agenttower.store import prompt_delays, prompts
from agenttower.store.database import Store, Transaction
from agenttower.store.prompts import PromptRecord

TARGET_REMOVED = "target_removed"
"""Why a prompt was canceled without an operator: additive to the contract's reasons."""

DELAY_ENDED = "delay_ended"
"""A delayed prompt goes on since its time has come: additive to the contract's lines."""


@dataclass(frozen=True, slots=True)
class Wakers:
    """Whom to tell after a commit: who delivers, and who waits for news."""

    deliver: Callable[[], None]
    readers: Callable[[], None]


class PromptChanges:
    """Changes of prompts in the caller's transaction. ``None``: somebody else was first."""

    def __init__(self, store: Store, clock: Clock, wakers: Wakers) -> None:
        self._store = store
        self._clock = clock
        self._wakers = wakers

    def block(
        self, transaction: Transaction, prompt: PromptRecord, reason: BlockReason
    ) -> PromptRecord | None:
        """Hold a queued prompt back since it may not go any more (section 4.2, point 1)."""
        return self.change(
            transaction,
            prompt,
            PromptState.BLOCKED,
            "blocked",
            reason=reason,
            more={"block_reason": reason},
        )

    def delivered(
        self,
        transaction: Transaction,
        prompt: PromptRecord,
        submission: str,
        submission_reason: str | None,
    ) -> PromptRecord | None:
        """Settle a delivery that succeeded."""
        return self.change(
            transaction,
            prompt,
            PromptState.DELIVERED,
            "delivered",
            stamp="delivered_at",
            shown=prompt.excerpt,
            more={"submission": submission, "submission_reason": submission_reason},
        )

    def failed(
        self,
        transaction: Transaction,
        prompt: PromptRecord,
        reason: FailureReason,
        detail: str | None,
    ) -> PromptRecord | None:
        """Settle a delivery that failed."""
        return self.change(
            transaction,
            prompt,
            PromptState.FAILED,
            "failed",
            stamp="failed_at",
            reason=reason,
            more={"failure_reason": reason, "failure_detail": detail},
        )

    def until_due(self) -> float | None:
        """Seconds until the next delay ends, 0 where one has; ``None`` where there is none."""
        due_at = prompt_delays.next_due()
        return None if due_at is None else max(0.0, (due_at - self._clock()) / SECOND)

    def release_due(self, transaction: Transaction) -> int:
        """Let prompts go on whose delay is over; returns how many.

        Nobody decided anything then, so that the line is not an approval.
        """
        due = prompt_delays.due(self._clock())
        for message_id in due:
            prompt_delays.end(message_id)
            prompt = prompts.find(message_id)
            if prompt is None or prompt.block_reason is not BlockReason.OPERATOR_DELAYED:
                continue
            self.change(
                transaction,
                prompt,
                PromptState.QUEUED,
                DELAY_ENDED,
                reason=prompt.block_reason,
                more={"block_reason": None},
            )
        return len(due)

    def target_removed(self, transaction: Transaction, agent_id: str, why: str) -> int:
        """Cancel what waits for an agent whose pane is removed, in the removal's transaction.

        A delivery that is under way settles by itself. Returns how many were canceled.
        """
        waiting = prompts.open_for(agent_id)
        for prompt in waiting:
            self.change(
                transaction,
                prompt,
                PromptState.CANCELED,
                "canceled",
                stamp="canceled_at",
                reason=TARGET_REMOVED,
                more={"block_reason": None, "failure_detail": why},
            )
        return len(waiting)

    def change(
        self,
        transaction: Transaction,
        prompt: PromptRecord,
        new: PromptState,
        event: str,
        *,
        stamp: str | None = None,
        reason: str | None = None,
        operator: str | None = None,
        shown: str = "",
        more: dict[str, object] | None = None,
        attribution: Attribution = NOBODY,
    ) -> PromptRecord | None:
        """Move a prompt that still is as in the record, and tell of it.

        :param event: the audit line is ``queue_message_<event>``, with ``reason`` and ``shown``.
        :param stamp: the column that gets the time of the change.
        :param more: further columns.
        :param attribution: of who asked for it.
        """
        if not may_change(prompt.state, new):
            return None
        now = self.moment(prompt)
        stamped: dict[str, object] = {} if stamp is None else {stamp: now}
        changed = prompts.change(prompt, now, state=new, **stamped, **(more or {}))
        if changed is None:
            return None
        if prompt.block_reason is BlockReason.OPERATOR_DELAYED:
            prompt_delays.end(prompt.message_id)
        self.tell(
            changed,
            event,
            prompt.state,
            reason=reason,
            operator=operator,
            shown=shown,
            attribution=attribution,
        )
        self.ring(transaction, delivers=new is PromptState.QUEUED)
        return changed

    def tell(
        self,
        prompt: PromptRecord,
        event: str,
        before: PromptState | None,
        *,
        reason: str | None = None,
        operator: str | None = None,
        shown: str = "",
        attribution: Attribution = NOBODY,
    ) -> None:
        """Write the audit line of section 8, whole."""
        actor: Actor = "daemon" if operator is None else "operator"
        payload = {
            "schema_version": 1,
            "event_type": f"queue_message_{event}",
            "message_id": prompt.message_id,
            "from_state": before,
            "to_state": prompt.state,
            "reason": reason,
            "operator": operator,
            "observed_at": to_millis(prompt.last_updated_at),
            "sender": identity_view(prompt.sender),
            "target": identity_view(prompt.target),
            "excerpt": shown,
            **attribution,
        }
        prompts.append_audit(
            self._store,
            payload,
            agent_id=prompt.target_agent_id,
            container_id=prompt.target_container_id,
            actor=actor,
            now=prompt.last_updated_at,
        )

    def ring(self, transaction: Transaction, *, delivers: bool) -> None:
        """After the commit, wake who waits for news and, if asked for, who delivers."""
        transaction.afterwards("readers", self._wakers.readers)
        if delivers:
            transaction.afterwards("prompts", self._wakers.deliver)

    def moment(self, prompt: PromptRecord) -> Micros:
        """Now, and never before the prompt's last change."""
        return max(self._clock(), prompt.last_updated_at)
