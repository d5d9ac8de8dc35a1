"""Events, as methods of a client."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from agenttower.client import following, paging
from agenttower.client.asking import Ask, given
from agenttower.client.shapes import AgentEvent, ManagedEvent


class Events:
    """``client.events``: what agents' output said, and what happened to layouts and panes."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def list(
        self,
        *,
        agent: str | None = None,
        types: Sequence[str] | None = None,
        since: str | None = None,
        until: str | None = None,
        reverse: bool = False,
    ) -> Iterator[AgentEvent]:
        """What agents' output said, page by page.

        :param agent: an agent's id.
        :param since: and ``until``: ISO 8601 with ``Z`` or an offset.
        """
        params = given(
            target=agent,
            types=None if types is None else [*types],
            since=since,
            until=until,
            reverse=reverse or None,
        )
        return cast("Iterator[AgentEvent]", paging.rows(self._ask, "events.list", params))

    def follow(
        self,
        *,
        agent: str | None = None,
        types: Sequence[str] | None = None,
        since: str | None = None,
    ) -> Iterator[AgentEvent]:
        """What agents' output says from now on, each event once, over restarts of the daemon.

        It waits for ever; close the iterator, or leave the loop, to stop.
        """
        params = given(target=agent, types=None if types is None else [*types], since=since)
        for page in following.agent_events(self._ask, params):
            yield from cast("list[AgentEvent]", page)

    def managed(
        self,
        *,
        container: str | None = None,
        layout: str | None = None,
        pane: str | None = None,
        after: int = 0,
        follow: bool = False,
    ) -> Iterator[ManagedEvent]:
        """What happened to layouts and panes, the oldest first.

        :param after: only events with a greater id.
        :param follow: go on with what comes later, without end.
        """
        params = given(container_id=container, layout_id=layout, pane_id=pane)
        for page in following.managed_events(self._ask, params, follow=follow, after=after):
            yield from cast("list[ManagedEvent]", page)
