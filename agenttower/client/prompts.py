"""Prompts, and the switch that lets them go, as methods of a client."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, cast

from agenttower.client.asking import CALL_SECONDS, WAIT_SECONDS, Ask, Patient, given
from agenttower.client.carrying import carried
from agenttower.client.errors import WaitTimedOut
from agenttower.client.shapes import Prompt
from agenttower.client.speaking import caller_pane

QUEUED = "queued"
_MARGIN_SECONDS = 10.0


class Prompts:
    """``client.prompts``: on the host the operator speaks, in a bench the agent of this pane."""

    def __init__(self, ask: Ask, socket: Path) -> None:
        self._ask = ask
        self._socket = socket

    def send(
        self,
        target: str,
        text: str | bytes,
        *,
        wait: float = 0.0,
        envelope: bool = False,
        idempotency_key: str | None = None,
    ) -> Prompt:
        """Hand a text to the queue.

        What may not be delivered now is accepted as ``blocked``; that is no exception.

        :param target: an agent's id, or the label of one active agent.
        :param wait: seconds to wait for the end; see also :meth:`wait`.
        :param envelope: put headers before it, as agents' prompts have them. On the host only.
        :param idempotency_key: sent again with the same key, it is not sent twice. On the host
            only.
        :raises InvalidRequest: ``body_empty``, ``body_invalid_chars`` and others of its family.
        """
        pane = caller_pane(self._ask)
        if pane is not None and (envelope or idempotency_key is not None):
            raise ValueError("envelope and idempotency_key are for the host")
        method = "queue.operator_input" if pane is None else "queue.send_input"
        more = given(
            caller_pane=pane,
            form="envelope" if envelope else None,
            idempotency_key=idempotency_key,
        )
        body = text.encode() if isinstance(text, str) else text
        with carried(body, self._socket, may_use_file=pane is None) as carrying:
            params = {"target": target, "wait": False, **carrying, **more}
            prompt = cast(Prompt, self._ask(method, params, CALL_SECONDS))
        return self._until(prompt, wait) if wait > 0 else prompt

    def wait(self, message_id: str, timeout: float = 60.0) -> Prompt:
        """The prompt once it is no longer ``queued``: delivered, failed, canceled or blocked.

        :raises WaitTimedOut: it still was after ``timeout`` seconds; it stays in the queue.
        """
        prompt = self._until(self.get(message_id), timeout)
        if prompt["state"] == QUEUED:
            raise WaitTimedOut(
                f"prompt {message_id} is still queued after {timeout:g} s; it stays there, so wait "
                "again, or cancel it"
            )
        return prompt

    def list(
        self,
        *,
        state: str | None = None,
        target: str | None = None,
        sender: str | None = None,
        since: str | None = None,
        origin: str | None = None,
        limit: int = 100,
    ) -> list[Prompt]:
        """Prompts in the order in which they were accepted, at most ``limit`` (1 to 1000)."""
        params = given(
            state=state, target=target, sender=sender, since=since, origin=origin, limit=limit
        )
        return cast("list[Prompt]", self._ask("queue.list", params, CALL_SECONDS)["rows"])

    def get(self, message_id: str) -> Prompt:
        """One prompt."""
        return cast(Prompt, self._ask("queue.show", {"message_id": message_id}, CALL_SECONDS))

    def approve(self, message_id: str) -> Prompt:
        """Let a blocked prompt go."""
        return self._decide("queue.approve", message_id)

    def delay(self, message_id: str) -> Prompt:
        """Hold a queued prompt back until it is approved."""
        return self._decide("queue.delay", message_id)

    def cancel(self, message_id: str) -> Prompt:
        """Give up a prompt that is queued or blocked."""
        return self._decide("queue.cancel", message_id)

    def _decide(self, method: str, message_id: str) -> Prompt:
        params = given(message_id=message_id, caller_pane=caller_pane(self._ask))
        return cast(Prompt, self._ask(method, params, CALL_SECONDS))

    def _until(self, prompt: Prompt, timeout: float) -> Prompt:
        """The prompt when it is no longer queued, or as it is after ``timeout`` seconds."""
        until, asking = time.monotonic() + timeout, Patient(self._ask)
        while prompt["state"] == QUEUED:
            wait = min(WAIT_SECONDS, until - time.monotonic())
            if wait <= 0:
                break
            place = {"after": prompt["last_updated_at"], "wait_seconds": wait}
            params = {"message_id": prompt["message_id"], **place}
            prompt = cast(Prompt, asking("queue.show", params, wait + _MARGIN_SECONDS))
        return prompt


class Routing:
    """``client.routing``: the kill switch."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def status(self) -> dict[str, Any]:
        """Are prompts delivered?"""
        return self._ask("routing.status", {}, CALL_SECONDS)

    def enable(self) -> dict[str, Any]:
        """Deliver prompts; for the host."""
        return self._ask("routing.enable", {}, CALL_SECONDS)

    def disable(self) -> dict[str, Any]:
        """Deliver none; for the host."""
        return self._ask("routing.disable", {}, CALL_SECONDS)
