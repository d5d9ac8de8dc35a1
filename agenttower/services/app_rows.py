"""One row of ``app.*`` by its id: for details, and for the answers of mutations."""

from __future__ import annotations

from agenttower.protocol.app import entities
from agenttower.services import app_views
from agenttower.store import prompts, routes
from agenttower.store.listing import agents, attachments, containers, events, panes


class AppRows:
    """Each method reads its row anew; ``None`` where there is none."""

    def container(self, container_id: str) -> entities.Container | None:
        """By full id."""
        row = containers.by_id(container_id)
        return None if row is None else app_views.container_row(row)

    def pane(
        self, pane_id: str, container_id: str | None = None, tmux_socket: str | None = None
    ) -> entities.Pane | None:
        """By tmux's id such as ``%0``, which several tmux servers may have.

        :param container_id: only in this container, by full id.
        :param tmux_socket: only on this socket.
        :return: of several the first in the order of ``app.pane.list``, those that are there
            before those that are gone.
        """
        row = panes.first_match(pane_id, container_id, tmux_socket)
        return None if row is None else app_views.pane_row(row)

    def agent(self, agent_id: str) -> entities.Agent | None:
        """Active or not."""
        row = agents.by_id(agent_id)
        return None if row is None else app_views.agent_row(row)

    def log_attachment(self, attachment_id: str) -> entities.LogAttachment | None:
        """In any state."""
        row = attachments.by_id(attachment_id)
        return None if row is None else app_views.attachment_row(row)

    def event(self, event_id: int) -> entities.Event | None:
        """Of an agent or of a managed session; audit lines are none."""
        row = events.by_id(event_id)
        return None if row is None else app_views.event_row(row)

    def message(self, message_id: str) -> entities.Message | None:
        """A row of the prompt queue."""
        row = prompts.find(message_id)
        return None if row is None else app_views.message_row(row)

    def route(self, route_id: str) -> entities.Route | None:
        """Of whoever made it."""
        row = routes.by_id(route_id)
        return None if row is None else app_views.route_row(row)
