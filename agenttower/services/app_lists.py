"""The lists of ``app.*``: a page in an order, under filters, from a cursor on (app surface,
section 8)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypedDict, TypeVar

from agenttower.clock import Clock
from agenttower.domain.cursors import decode_cursor, encode_cursor
from agenttower.domain.list_orders import ORDERS
from agenttower.errors import ValidationFailed
from agenttower.protocol.app import lists
from agenttower.services import app_views
from agenttower.store import switches
from agenttower.store.database import Store
from agenttower.store.listing import agents, attachments, containers, events, panes, prompts, routes
from agenttower.store.listing.pages import Filters, Key, Line, Listing

COUNTED = 1_000_000
"""Rows are counted up to here, 30 to 100 µs a thousand; ``total_estimate`` says "at least"."""
SECRET = "app_cursor_secret"
DAEMON = "(daemon)"
_CURSOR = "cursor_next"

R = TypeVar("R")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a page, its shape checked. ``filters`` are those that were given."""

    limit: int
    cursor: str | None = None
    order_by: str | None = None
    filters: Filters = field(default_factory=dict)


class _Shown(TypedDict):
    rows: list[Any]
    total: int | None
    total_estimate: int | None
    cursor_next: str | None
    ordering: str


class AppLists:
    """One method a list. Each raises ``ValidationFailed`` for ``order_by`` and ``cursor_next``.

    Cursors are sealed with a secret of the database: they outlive the daemon, and nobody can make
    one. A page and its total are of one moment.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        if switches.find(SECRET) is None:
            with store.transaction():
                switches.seed(store, SECRET, secrets.token_hex(32), clock(), DAEMON)
        stored = switches.find(SECRET)
        assert stored is not None
        self._secret = bytes.fromhex(stored.value)

    def containers(self, asked: Asked) -> lists.ContainerList:
        """``app.container.list``."""
        return lists.ContainerList(
            **self._page("container", containers.LISTING, app_views.container_row, asked)
        )

    def panes(self, asked: Asked) -> lists.PaneList:
        """``app.pane.list``: vanished ones too, as the dashboard counts them."""
        return lists.PaneList(**self._page("pane", panes.LISTING, app_views.pane_row, asked))

    def agents(self, asked: Asked) -> lists.AgentList:
        """``app.agent.list``: those too that are no longer registered."""
        return lists.AgentList(**self._page("agent", agents.LISTING, app_views.agent_row, asked))

    def log_attachments(self, asked: Asked) -> lists.LogAttachmentList:
        """``app.log_attachment.list``."""
        return lists.LogAttachmentList(
            **self._page("log_attachment", attachments.LISTING, app_views.attachment_row, asked)
        )

    def events(self, asked: Asked) -> lists.EventList:
        """``app.event.list``: of agents and of managed sessions, no audit lines."""
        return lists.EventList(**self._page("event", events.LISTING, app_views.event_row, asked))

    def messages(self, asked: Asked) -> lists.QueueList:
        """``app.queue.list``."""
        return lists.QueueList(**self._page("queue", prompts.LISTING, app_views.message_row, asked))

    def routes(self, asked: Asked) -> lists.RouteList:
        """``app.route.list``."""
        return lists.RouteList(**self._page("route", routes.LISTING, app_views.route_row, asked))

    def _page(
        self, entity: str, listing: Listing[R], view: Callable[[R], T], asked: Asked
    ) -> _Shown:
        ordering = ORDERS[entity].parse(asked.order_by)
        kind = f"app.{entity}.list {ordering}"
        after = self._place(kind, listing.lines[ordering.field], asked)
        with self._store.snapshot():
            total = listing.count(asked.filters, COUNTED)
            try:
                page = listing.page(
                    asked.filters,
                    ordering.field,
                    descending=ordering.descending,
                    after=after,
                    limit=asked.limit,
                    passing=total,
                )
            except LookupError:
                raise ValidationFailed(
                    _CURSOR, "the row that it stands at is gone; start again without it"
                ) from None
        counted = total < COUNTED
        return {
            "rows": [view(row) for row in page.rows],
            "total": total if counted else None,
            "total_estimate": None if counted else total,
            "cursor_next": (
                encode_cursor(kind, page.last, asked.filters, self._secret)
                if page.last is not None
                else None
            ),
            "ordering": str(ordering),
        }

    def _place(self, kind: str, line: Line, asked: Asked) -> Key | None:
        if asked.cursor is None:
            return None
        return decode_cursor(
            asked.cursor,
            kind=kind,
            types=line.types,
            filters=asked.filters,
            field=_CURSOR,
            secret=self._secret,
        )
