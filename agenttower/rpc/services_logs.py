"""What the log methods need of the services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from agenttower.services.caller import Caller

Document = Mapping[str, object]
"""A whole result, ready for JSON."""


class LogChanges(Protocol):
    """See :class:`agenttower.services.agent_logs.AgentLogs`."""

    def begin_attach(
        self, caller: Caller, change_id: str, agent_id: str, log_path: str | None
    ) -> bool: ...

    def begin_detach(self, caller: Caller, change_id: str, agent_id: str) -> bool: ...

    def outcome(self, change_id: str) -> dict[str, Any] | None: ...


class LogReader(Protocol):
    """See :class:`agenttower.services.log_reading.LogReading`."""

    def status(self, caller: Caller, agent_id: str) -> Document: ...

    def preview(self, caller: Caller, agent_id: str, lines: int) -> Document: ...

    def read(
        self,
        caller: Caller,
        agent_id: str,
        *,
        lines: int,
        offset: int | None,
        file_id: str | None,
    ) -> dict[str, Any]: ...


class LogServices(Protocol):
    """What these methods need of the services."""

    @property
    def logs(self) -> LogChanges: ...

    @property
    def log_reading(self) -> LogReader: ...

    def status(self, *, whole: bool) -> Document: ...
