"""Logs of agents, as methods of a client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from agenttower.client.asking import CALL_SECONDS, WAIT_SECONDS, Ask, Patient, given
from agenttower.client.shapes import LogPage

CHANGE_SECONDS = 45.0
"""The daemon waits 35 s for a change of a pipe before it says that it goes on by itself."""
_MOST_LINES = 2000


class Logs:
    """``client.logs``. What is shown is redacted by the daemon."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def attach(self, agent_id: str, path: str | None = None) -> dict[str, Any]:
        """Capture the agent's output, in the default file or in ``path``."""
        return self._ask("attach_log", given(agent_id=agent_id, log_path=path), CHANGE_SECONDS)

    def detach(self, agent_id: str) -> dict[str, Any]:
        """Stop capturing; the file stays."""
        return self._ask("detach_log", {"agent_id": agent_id}, CHANGE_SECONDS)

    def status(self, agent_id: str) -> dict[str, Any]:
        """Where the log is, and how far it was read."""
        return self._ask("attach_log_status", {"agent_id": agent_id}, CALL_SECONDS)

    def preview(self, agent_id: str, lines: int = 50) -> list[str]:
        """The last lines, at most 200; also of a log that is no longer attached."""
        params = {"agent_id": agent_id, "lines": lines}
        return cast("list[str]", self._ask("attach_log_preview", params, CALL_SECONDS)["lines"])

    def read(
        self,
        agent_id: str,
        lines: int = 200,
        *,
        offset: int | None = None,
        file: str | None = None,
        wait: float = 0.0,
    ) -> LogPage:
        """Lines from a place on; without one the last lines.

        :param offset: ``next`` of the page before, and ``file``: of that page.
        :param wait: seconds to wait for news where there is none, at most 25.
        """
        params = given(
            agent_id=agent_id, lines=lines, offset=offset, file=file, wait_seconds=float(wait)
        )
        return cast(LogPage, self._ask("logs.read", params, CALL_SECONDS))

    def follow(self, agent_id: str, lines: int = 10) -> Iterator[str]:
        """The last lines, then new ones as they are finished, without end."""
        reading = Logs(Patient(self._ask))
        page = reading.read(agent_id, lines)
        while True:
            yield from page["lines"]
            page = reading.read(
                agent_id, _MOST_LINES, offset=page["next"], file=page["file"], wait=WAIT_SECONDS
            )
