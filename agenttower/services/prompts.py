"""The prompt queue: accepting prompts, what operators do with them, and what is shown.

Legacy surfaces part 2, sections 3, 6 and 8. A change of state and the audit line that tells of it
commit together.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field, replace

from agenttower.clock import MILLISECOND, SECOND, Clock, Micros
from agenttower.crashpoints import crash_point
from agenttower.domain.attribution import NOBODY, Attribution
from agenttower.domain.prompts import (
    Action,
    BlockReason,
    Form,
    Identity,
    PromptState,
    Situation,
    block_reason,
    check_body,
    excerpt,
    headers,
    may_approve,
)
from agenttower.errors import (
    AgentNotFound,
    ApprovalNotApplicable,
    DelayNotApplicable,
    DeliveryInProgress,
    MessageNotFound,
    PromptRefused,
    PromptRefusedBySwitch,
    SwitchIsOff,
    TerminalState,
)
from agenttower.services import prompt_parties as parties
from agenttower.services.prompt_changes import PromptChanges
from agenttower.services.switch import RoutingSwitch
from agenttower.store import prompt_delays, prompts, targets
from agenttower.store.database import Store, Transaction
from agenttower.store.prompts import PromptRecord
from agenttower.store.targets import Addressee

NEVER: Micros = 253_402_300_799 * SECOND
"""The last second of the year 9999: no later time can be written."""


@dataclass(frozen=True, slots=True)
class NewPrompt:
    """A prompt to be accepted. ``sender`` is an agent's id or ``host-operator``.

    ``route_id`` and ``event_id`` go together and make it a routed one.
    """

    sender: str
    target: str
    """The agent's id; names are resolved before (:func:`agenttower.store.targets.named`)."""
    body: bytes
    form: Form = Form.ENVELOPE
    message_id: str = ""
    """A UUIDv4 of the caller's, or empty for a fresh one."""
    route_id: str | None = None
    event_id: int | None = None
    idempotency_key: str | None = None
    all_or_nothing: bool = False
    """Refuse it where it would be accepted ``blocked``."""
    attribution: Attribution = field(default_factory=lambda: NOBODY)


@dataclass(frozen=True, slots=True)
class By:
    """Who decides on a prompt."""

    operator: str
    attribution: Attribution


class PromptQueue:
    """The queue of one database."""

    def __init__(
        self,
        store: Store,
        switch: RoutingSwitch,
        clock: Clock,
        changes: PromptChanges,
        *,
        routes_prompt_masters: bool = False,
    ) -> None:
        self._store = store
        self._switch = switch
        self._clock = clock
        self._changes = changes
        self._routes_prompt_masters = routes_prompt_masters

    # --- accepting -----------------------------------------------------------------------------

    def enqueue(self, transaction: Transaction, new: NewPrompt) -> PromptRecord:
        """Accept a prompt in the caller's transaction: its row and its audit line.

        What may not go its way now is accepted ``blocked`` (section 3.3), or refused where it says
        so.

        :raises PromptRefused: nothing was written.
        :raises AgentNotFound: no sender, or no target, of that id.
        :raises BodyRefused: nothing was written.
        """
        target = targets.addressee(new.target)
        if target is None:
            raise AgentNotFound(new.target)
        sender, sender_active = parties.sender(new.sender)
        to = parties.identity(target)
        message_id = new.message_id or str(uuid.uuid4())
        head = headers(message_id, sender, to, new.form)
        check_body(new.body, head)
        routed = new.route_id is not None
        situation = self._situation(target, sender, sender_active)
        reports = routed and self._routes_prompt_masters
        reason = block_reason(replace(situation, reports=reports))
        if reason is not None and new.all_or_nothing:
            off = reason is BlockReason.KILL_SWITCH_OFF
            raise (PromptRefusedBySwitch if off else PromptRefused)(new.target, reason)
        now = prompts.next_moment(self._clock())
        record = prompts.insert(
            {
                "message_id": message_id,
                "state": PromptState.QUEUED if reason is None else PromptState.BLOCKED,
                "block_reason": reason,
                "form": new.form,
                **parties.columns("sender", sender),
                **parties.columns("target", to),
                "target_container_id": target.agent.container_id,
                "target_pane": parties.pane_key(target),
                "envelope_body": new.body,
                "envelope_size_bytes": len(head) + len(new.body),
                "envelope_body_sha256": hashlib.sha256(new.body).hexdigest(),
                "excerpt": excerpt(new.body),
                "origin": "route" if routed else "direct",
                "route_id": new.route_id,
                "event_id": new.event_id,
                "idempotency_key": new.idempotency_key,
                "enqueued_at": now,
                "last_updated_at": now,
            }
        )
        self._changes.tell(
            record,
            "enqueued",
            None,
            reason=reason,
            shown=record.excerpt,
            attribution=new.attribution,
        )
        self._changes.ring(transaction, delivers=reason is None)
        return record

    def _situation(self, target: Addressee, sender: Identity, active: bool) -> Situation:
        return Situation(
            routing_enabled=self._switch.is_enabled(),
            sender_active=active,
            sender_role=sender.role,
            target_active=target.agent.active,
            target_role=target.agent.role,
            container_active=target.container_active,
            pane_present=target.pane is not None,
        )

    # --- operators -----------------------------------------------------------------------------

    def approve(
        self,
        message_id: str,
        operator: str,
        scope: str | None = None,
        attribution: Attribution = NOBODY,
    ) -> PromptRecord:
        """Let a blocked prompt go; the worker checks it again.

        :param operator: an agent's id or ``host-operator``.
        :param scope: the only container whose prompts the operator may touch.
        :param attribution: of the operator, for the audit line.
        :raises ApprovalNotApplicable: it is not blocked, or its reason cannot be overruled.
        :raises MessageNotFound: or :class:`TerminalState` or :class:`DeliveryInProgress`.
        """
        with self._store.transaction() as transaction:
            prompt = _open_prompt(message_id, scope)
            reason = prompt.block_reason
            if reason is None:
                raise ApprovalNotApplicable(f"prompt {message_id} is not blocked; it is queued")
            if not may_approve(reason, routing_enabled=self._switch.is_enabled()):
                raise _why_not(message_id, reason)
            return self._act(
                transaction,
                prompt,
                PromptState.QUEUED,
                Action.APPROVED,
                By(operator, attribution),
                told=reason,
            )

    def delay(
        self,
        message_id: str,
        operator: str,
        scope: str | None = None,
        attribution: Attribution = NOBODY,
        *,
        delay_ms: int | None = None,
    ) -> PromptRecord:
        """Hold a queued prompt back until it is approved.

        :param delay_ms: it goes on by itself after so long, counted from now; ``None`` for never.
        :raises DelayNotApplicable: it is blocked already.
        :raises MessageNotFound: or :class:`TerminalState` or :class:`DeliveryInProgress`.
        """
        with self._store.transaction() as transaction:
            prompt = _open_prompt(message_id, scope)
            if prompt.block_reason is not None:
                raise DelayNotApplicable(message_id, prompt.block_reason)
            delayed = self._act(
                transaction,
                prompt,
                PromptState.BLOCKED,
                Action.DELAYED,
                By(operator, attribution),
                reason=BlockReason.OPERATOR_DELAYED,
                told=BlockReason.OPERATOR_DELAYED,
            )
            if delay_ms is not None:
                due_at = delayed.last_updated_at + delay_ms * MILLISECOND
                prompt_delays.start(message_id, min(due_at, NEVER))
                self._changes.ring(transaction, delivers=True)
            return delayed

    def cancel(
        self,
        message_id: str,
        operator: str,
        scope: str | None = None,
        attribution: Attribution = NOBODY,
        *,
        told: str | None = None,
    ) -> PromptRecord:
        """Give up a prompt that has not been delivered.

        :param told: why, in the operator's words, for the audit line.
        :raises MessageNotFound: or :class:`TerminalState` or :class:`DeliveryInProgress`.
        """
        with self._store.transaction() as transaction:
            prompt = _open_prompt(message_id, scope)
            return self._act(
                transaction,
                prompt,
                PromptState.CANCELED,
                Action.CANCELED,
                By(operator, attribution),
                stamp="canceled_at",
                told=told,
            )

    def _act(
        self,
        transaction: Transaction,
        prompt: PromptRecord,
        new: PromptState,
        action: Action,
        by: By,
        *,
        reason: BlockReason | None = None,
        stamp: str | None = None,
        told: str | None = None,
    ) -> PromptRecord:
        changed = self._changes.change(
            transaction,
            prompt,
            new,
            action,
            stamp=stamp,
            reason=told,
            operator=by.operator,
            attribution=by.attribution,
            more={
                "block_reason": reason,
                "operator_action": action,
                "operator_action_at": self._changes.moment(prompt),
                "operator_action_by": by.operator,
            },
        )
        assert changed is not None, "read in this very transaction"
        crash_point("prompt.acting")
        return changed


def _open_prompt(message_id: str, scope: str | None) -> PromptRecord:
    """The prompt of an operator's action, checked in the order of section 6.3."""
    prompt = prompts.find(message_id)
    if prompt is None or scope not in (None, prompt.target_container_id):
        raise MessageNotFound(message_id)
    if prompt.state.is_final:
        raise TerminalState(message_id, prompt.state)
    if prompt.in_flight:
        raise DeliveryInProgress(message_id)
    return prompt


def _why_not(message_id: str, reason: BlockReason) -> ApprovalNotApplicable:
    if reason is BlockReason.KILL_SWITCH_OFF:
        return SwitchIsOff(
            f"prompt {message_id} was blocked by the kill switch, which is still off; "
            "run 'agenttower routing enable' first"
        )
    return ApprovalNotApplicable(
        f"prompt {message_id} is blocked as {reason}, which nobody may overrule; "
        "change the agent's role, cancel the prompt and send it again"
    )
