"""What the lists and details of ``app.*`` need of their services."""

from __future__ import annotations

from typing import Protocol

from agenttower.protocol.app import entities


class AppRowServices(Protocol):
    """See :class:`agenttower.services.app_rows.AppRows`; ``None`` where there is no such row."""

    def container(self, container_id: str) -> entities.Container | None: ...

    def pane(
        self, pane_id: str, container_id: str | None = None, tmux_socket: str | None = None
    ) -> entities.Pane | None: ...

    def agent(self, agent_id: str) -> entities.Agent | None: ...

    def log_attachment(self, attachment_id: str) -> entities.LogAttachment | None: ...

    def event(self, event_id: int) -> entities.Event | None: ...

    def message(self, message_id: str) -> entities.Message | None: ...

    def route(self, route_id: str) -> entities.Route | None: ...
