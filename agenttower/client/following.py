"""Events as they come, over restarts of the daemon. Standard library only, Python 3.9 and newer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import Any

from agenttower.client.asking import CALL_SECONDS, WAIT_SECONDS, Ask, Patient
from agenttower.client.errors import DaemonUnreachable, RpcError
from agenttower.client.refusals import EventsSessionExpired, EventsSessionUnknown

LATE_SECONDS = 60
"""How much earlier than others an event may have been observed that is told after them."""

MANAGED_PAGE = 200

Event = dict[str, Any]


def managed_events(
    ask: Ask, params: Mapping[str, Any], *, follow: bool, after: int = 0
) -> Iterator[list[Event]]:
    """Pages of lifecycle events of layouts and panes, the oldest first.

    :param params: filters of ``managed.event.list``.
    :param follow: go on with what comes later; a page may then be empty.
    :param after: only events with a greater id.
    """
    asking = Patient(ask) if follow else ask
    while True:
        request = {**params, "after": after, "limit": MANAGED_PAGE}
        if follow:
            request["wait_seconds"] = WAIT_SECONDS
        answer = asking("managed.event.list", request, CALL_SECONDS)
        yield answer["events"]
        after = answer["next"]
        if not follow and len(answer["events"]) < MANAGED_PAGE:
            return


def agent_events(ask: Ask, params: Mapping[str, Any]) -> Iterator[list[Event]]:
    """Pages of events that are read from agents' output, from now on, without end.

    :param params: filters of ``events.follow_open``; with ``since`` also what has been.
    """
    follower = AgentEvents(ask, params)
    try:
        while True:
            yield follower.next()
    finally:
        follower.close()


class AgentEvents:
    """One follower's place among the events, whatever becomes of its sessions."""

    def __init__(self, ask: Ask, params: Mapping[str, Any]) -> None:
        self._ask = Patient(ask)
        self._ask_once = ask
        self._params = dict(params)
        self._begun = False
        self._session = ""
        self._last_id = 0

    def next(self) -> list[Event]:
        """What is new; empty where nothing has come for a while."""
        if not self._session:
            return self._open()
        request = {"session_id": self._session, "max_wait_seconds": WAIT_SECONDS}
        try:
            answer = self._ask("events.follow_next", request, CALL_SECONDS)
        except (EventsSessionUnknown, EventsSessionExpired):
            self._session = ""
            return []
        if not answer["session_open"]:
            self._session = ""
        return self._unseen(answer["events"])

    def close(self) -> None:
        """Tell the daemon that nobody follows any more; where it is gone it knows."""
        session, self._session = self._session, ""
        if session:
            with suppress(RpcError, DaemonUnreachable):
                self._ask_once("events.follow_close", {"session_id": session}, 1.0)

    def _open(self) -> list[Event]:
        opening = datetime.now(timezone.utc)  # noqa: UP017 - not yet UTC in 3.9
        opened = self._ask("events.follow_open", self._params, CALL_SECONDS)
        self._session = opened["session_id"]
        events: list[Event] = opened.get("backlog_events", [])
        if opened.get("backlog_truncated"):
            events = self._backlog()
        if "since" not in self._params:
            self._last_id = opened["live_starting_event_id"]
        if not self._begun:
            self._begin_again_at(opening)
        self._begun = True
        return self._unseen(events)

    def _backlog(self) -> list[Event]:
        events: list[Event] = []
        position: dict[str, object] = {}
        while True:
            page = self._ask("events.list", {**self._params, **position}, CALL_SECONDS)
            events += page["events"]
            if page["next_cursor"] is None:
                return events
            position = {"cursor": page["next_cursor"]}

    def _unseen(self, events: list[Event]) -> list[Event]:
        news = [event for event in events if event["event_id"] > self._last_id]
        if news:
            self._last_id = max(event["event_id"] for event in news)
            moment = str(news[-1].get("observed_at", news[-1].get("timestamp")))
            self._begin_again_at(datetime.fromisoformat(moment.replace("Z", "+00:00")))
        return news

    def _begin_again_at(self, moment: datetime) -> None:
        """Where a new session begins; what was seen is left out by its id."""
        since = moment - timedelta(seconds=LATE_SECONDS)
        self._params = {**self._params, "since": since.isoformat(timespec="microseconds")}
