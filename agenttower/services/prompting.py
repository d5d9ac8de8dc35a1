"""What clients may ask of the prompt queue (legacy surfaces part 2, section 6)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agenttower.crashpoints import crash_point
from agenttower.domain.prompts import HOST_OPERATOR, Form
from agenttower.errors import MessageNotFound
from agenttower.services.caller import Caller
from agenttower.services.pane_claims import PaneClaim, operator, sender
from agenttower.services.prompt_views import prompt_view
from agenttower.services.prompts import NewPrompt, PromptQueue
from agenttower.store import prompts, targets
from agenttower.store.database import Store
from agenttower.store.prompts import Filters, PromptRecord


class Prompting:
    """The service behind ``queue.*``. A caller in a bench sees and reaches its own bench only."""

    def __init__(self, store: Store, queue: PromptQueue) -> None:
        self._store = store
        self._queue = queue

    def send(
        self, caller: Caller, message_id: str, claim: PaneClaim | None, target: str, body: bytes
    ) -> None:
        """Accept an agent's prompt for another (``queue.send_input``).

        :param message_id: by which :meth:`outcome` finds it.
        :param target: an id or a label, verbatim.
        :raises AgentTowerError: the codes of section 6.1.
        """
        by = sender(caller, claim)
        to = targets.named(target, caller.scope)
        self._accept(NewPrompt(by.agent_id, to.agent_id, body, message_id=message_id))

    def send_as_operator(
        self,
        caller: Caller,
        message_id: str,
        target: str,
        body: bytes,
        *,
        form: Form = Form.PLAIN,
        idempotency_key: str | None = None,
        all_or_nothing: bool = False,
    ) -> tuple[str, bool]:
        """Accept a prompt of the operator on the host, who has a master's rights.

        :param all_or_nothing: refuse it where it would be accepted ``blocked``.
        :return: the id of the prompt, and whether the key had been used for it before: then
            nothing was written. Target and text are not compared.
        :raises HostOnly: the caller is not on the host.
        :raises PromptRefused: it was all or nothing, and a check of section 3.3 fails.
        """
        caller.require_host()
        to = targets.named(target)
        new = NewPrompt(
            HOST_OPERATOR,
            to.agent_id,
            body,
            form,
            message_id=message_id,
            idempotency_key=idempotency_key,
            all_or_nothing=all_or_nothing,
            attribution=caller.attribution,
        )
        accepted = self._accept(new)
        return accepted.message_id, accepted.message_id != message_id

    def _accept(self, new: NewPrompt) -> PromptRecord:
        with self._store.transaction() as transaction:
            if new.idempotency_key is not None:
                before = prompts.find_by_key(new.sender, new.idempotency_key)
                if before is not None:
                    return before
            accepted = self._queue.enqueue(transaction, new)
            crash_point("prompt.committing")
        crash_point("prompt.committed")
        return accepted

    def outcome(self, message_id: str) -> tuple[dict[str, Any], bool]:
        """The prompt as it is now, and whether waiting for more is over: it is final or blocked."""
        prompt = prompts.find(message_id)
        if prompt is None:
            raise MessageNotFound(message_id)
        return prompt_view(prompt), prompt.state.is_final or prompt.block_reason is not None

    def show(self, caller: Caller, message_id: str) -> dict[str, Any]:
        """One prompt (``queue.show``, additive).

        :raises MessageNotFound: there is none in the caller's reach.
        """
        scope = caller.scope
        prompt = prompts.find(message_id)
        if prompt is None or scope not in (None, prompt.target_container_id):
            raise MessageNotFound(message_id)
        return prompt_view(prompt)

    def listing(self, caller: Caller, wanted: Filters) -> dict[str, Any]:
        """``queue.list``; ``target`` and ``sender`` of the filters are names.

        :raises AgentNotFound: or :class:`TargetLabelAmbiguous`.
        """
        scope = caller.scope
        target, by = wanted.target, wanted.sender
        if target is not None:
            target = targets.named(target, scope).agent_id
        if by is not None and by != HOST_OPERATOR:
            by = targets.named(by, scope).agent_id
        found = prompts.listing(replace(wanted, target=target, sender=by, scope=scope))
        return {"rows": [prompt_view(prompt) for prompt in found], "next_cursor": None}

    def approve(self, caller: Caller, message_id: str, claim: PaneClaim | None) -> dict[str, Any]:
        """``queue.approve``; see :meth:`PromptQueue.approve`."""
        by = operator(caller, claim)
        return prompt_view(self._queue.approve(message_id, by, caller.scope, caller.attribution))

    def delay(
        self,
        caller: Caller,
        message_id: str,
        claim: PaneClaim | None,
        *,
        delay_ms: int | None = None,
    ) -> dict[str, Any]:
        """``queue.delay``; see :meth:`PromptQueue.delay`."""
        by = operator(caller, claim)
        delayed = self._queue.delay(
            message_id, by, caller.scope, caller.attribution, delay_ms=delay_ms
        )
        return prompt_view(delayed)

    def cancel(
        self, caller: Caller, message_id: str, claim: PaneClaim | None, *, told: str | None = None
    ) -> dict[str, Any]:
        """``queue.cancel``; see :meth:`PromptQueue.cancel`."""
        by = operator(caller, claim)
        canceled = self._queue.cancel(message_id, by, caller.scope, caller.attribution, told=told)
        return prompt_view(canceled)
