"""What ``events.*`` needs of the services."""

from __future__ import annotations

from typing import Any, Protocol

from agenttower.services.agent_events import Asked
from agenttower.services.caller import Caller


class EventServices(Protocol):
    """Implemented by :class:`agenttower.services.agent_events.AgentEventService`."""

    @property
    def longest_wait_s(self) -> float: ...

    def page(
        self, caller: Caller, asked: Asked, *, limit: int | None, cursor: object, reverse: bool
    ) -> dict[str, Any]: ...

    def open(self, caller: Caller, asked: Asked) -> dict[str, Any]: ...

    def next(self, caller: Caller, session_id: str, *, resumed: bool) -> dict[str, Any]: ...

    def close(self, caller: Caller, session_id: str) -> dict[str, Any]: ...

    def rules(self) -> dict[str, Any]: ...
