"""What ``queue.*`` and ``routing.*`` need of the services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from agenttower.domain.prompts import Form
from agenttower.services.caller import Caller
from agenttower.services.pane_claims import PaneClaim
from agenttower.store.prompts import Filters

Document = Mapping[str, object]


class PromptServices(Protocol):
    """See :class:`agenttower.services.prompting.Prompting`."""

    def send(
        self, caller: Caller, message_id: str, claim: PaneClaim | None, target: str, body: bytes
    ) -> None: ...

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
    ) -> tuple[str, bool]: ...

    def outcome(self, message_id: str) -> tuple[Document, bool]: ...

    def show(self, caller: Caller, message_id: str) -> Document: ...

    def listing(self, caller: Caller, wanted: Filters) -> Document: ...

    def approve(self, caller: Caller, message_id: str, claim: PaneClaim | None) -> Document: ...

    def delay(
        self,
        caller: Caller,
        message_id: str,
        claim: PaneClaim | None,
        *,
        delay_ms: int | None = None,
    ) -> Document: ...

    def cancel(
        self, caller: Caller, message_id: str, claim: PaneClaim | None, *, told: str | None = None
    ) -> Document: ...


class SwitchServices(Protocol):
    """See :class:`agenttower.services.switch.RoutingSwitch`."""

    def status(self) -> Document: ...

    def toggle(self, caller: Caller, value: str) -> Document: ...
