"""What the output of agents said, listed and followed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from agenttower.cli.exit_codes import ExitCode
from agenttower.cli.invocation import CALL_SECONDS, Invocation, given
from agenttower.cli.output import Column, Output, plain

PAGE = 50
WAIT_SECONDS = 25.0
PATIENCE_SECONDS = 15.0
RETRY_SECONDS = 0.25
LATE_SECONDS = 60
"""How much earlier than others an event may have been observed that is told after them."""

_SESSION_GONE = ("events_session_unknown", "events_session_expired")

COLUMNS = (
    Column("OBSERVED_AT", lambda row: row.get("observed_at", row.get("timestamp"))),
    Column("EVENT_TYPE", lambda row: row["event_type"]),
    Column(
        "AGENT",
        lambda row: row.get("agent_id"),
        lambda row: row.get("agent_label") or row.get("agent_id"),
    ),
    Column("LINES", lambda row: row.get("debounce", {}).get("collapsed_count")),
    Column("EXCERPT", lambda row: row.get("excerpt", row.get("payload"))),
)


@dataclass(frozen=True)
class Wanted:
    """The filters of a command line."""

    agent: str | None
    types: tuple[str, ...]
    since: str | None
    until: str | None

    def params(self, run: Invocation) -> dict[str, object]:
        """The filters as the daemon takes them; it knows agents by id only."""
        target = None if self.agent is None else _agent_id(run, self.agent)
        return given(target=target, types=self.types, since=self.since, until=self.until)


def show(run: Invocation, wanted: Wanted, *, reverse: bool, limit: int, cursor: str | None) -> None:
    """Print the first ``limit`` events, and how to go on where there are more."""
    params = wanted.params(run) | ({"reverse": True} if reverse else {})
    events: list[dict[str, Any]] = []
    while True:
        size = min(PAGE, limit - len(events))
        position = {} if cursor is None else {"cursor": cursor}
        page = run.call("events.list", {**params, **position, "limit": size})
        events += page["events"]
        cursor = page["next_cursor"]
        if cursor is None or len(events) >= limit:
            break
    if run.output.json_mode:
        for event in events:
            run.output.record(event)
        if cursor is not None:
            run.output.record({"next_cursor": cursor})
        return
    _name_agents(run, events)
    run.output.rows(COLUMNS, events, empty="No events.")
    if cursor is not None:
        run.output.note(f"there are more; go on with --cursor {cursor}")


def follow(run: Invocation, wanted: Wanted) -> ExitCode:
    """Print events as they come until somebody has had enough, which is no error."""
    try:
        if not run.output.json_mode:
            run.output.line("\t".join(column.title for column in COLUMNS))
        for events in _pages(run, wanted):
            _print(run.output, events)
    except (KeyboardInterrupt, BrokenPipeError):
        pass
    return ExitCode.OK


def _print(output: Output, events: Iterable[Mapping[str, Any]]) -> None:
    for event in events:
        if output.json_mode:
            output.record(event)
        else:
            output.line("\t".join(plain(column.value(event)) for column in COLUMNS))


def _pages(run: Invocation, wanted: Wanted) -> Iterator[list[dict[str, Any]]]:
    """Page after page, over restarts of the daemon, which forgets sessions."""
    from agenttower.client import DaemonUnreachable

    follower = _Follower(run, wanted.params(run))
    lost_since: float | None = None
    while True:
        try:
            news = follower.next()
        except DaemonUnreachable:
            now = time.monotonic()
            lost_since = lost_since or now
            if not follower.begun or now - lost_since >= PATIENCE_SECONDS:
                raise
            time.sleep(RETRY_SECONDS)
            continue
        lost_since = None
        if news:
            yield news


class _Follower:
    """One follower's place among the events, whatever becomes of its sessions."""

    def __init__(self, run: Invocation, params: dict[str, object]) -> None:
        self.begun = False
        self._run = run
        self._params = params
        self._session = ""
        self._last_id = 0

    def next(self) -> list[dict[str, Any]]:
        """What is new; empty where nothing has come for a while."""
        from agenttower.client import RpcError

        if not self._session:
            return self._open()
        request = {"session_id": self._session, "max_wait_seconds": WAIT_SECONDS}
        try:
            answer = self._run.call("events.follow_next", request, CALL_SECONDS)
        except RpcError as error:
            if error.code not in _SESSION_GONE:
                raise
            self._session = ""
            return []
        if not answer["session_open"]:
            self._session = ""
        return self._unseen(answer["events"])

    def _open(self) -> list[dict[str, Any]]:
        opening = datetime.now(UTC)
        opened = self._run.call("events.follow_open", self._params)
        self._session = opened["session_id"]
        events: list[dict[str, Any]] = opened.get("backlog_events", [])
        if opened.get("backlog_truncated"):
            events = self._backlog()
        if "since" not in self._params:
            self._last_id = opened["live_starting_event_id"]
        if not self.begun:
            self._begin_again_at(opening)
        self.begun = True
        return self._unseen(events)

    def _backlog(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        position: dict[str, object] = {}
        while True:
            page = self._run.call("events.list", {**self._params, **position})
            events += page["events"]
            if page["next_cursor"] is None:
                return events
            position = {"cursor": page["next_cursor"]}

    def _unseen(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        news = [event for event in events if event["event_id"] > self._last_id]
        if news:
            self._last_id = max(event["event_id"] for event in news)
            moment = news[-1].get("observed_at", news[-1].get("timestamp"))
            self._begin_again_at(datetime.fromisoformat(str(moment)))
        return news

    def _begin_again_at(self, moment: datetime) -> None:
        """Where a new session begins; what was seen is left out by its id."""
        since = moment - timedelta(seconds=LATE_SECONDS)
        self._params = {**self._params, "since": since.isoformat(timespec="microseconds")}


def _agent_id(run: Invocation, wanted: str) -> str:
    """The id of an agent given by id or by label."""
    if wanted.startswith("agt_"):
        return wanted
    from agenttower.cli.errors import Ambiguous
    from agenttower.errors import AgentNotFound

    found = [row for row in _agents(run) if row["label"] == wanted]
    living = [row for row in found if row.get("active")] or found
    if not living:
        raise AgentNotFound
    if len(living) > 1:
        raise Ambiguous(f"{len(living)} agents are called {wanted!r}; give the id of one", living)
    return str(living[0]["agent_id"])


def _name_agents(run: Invocation, events: Iterable[dict[str, Any]]) -> None:
    """Give each event its agent's label, where people will read it."""
    if run.output.for_people:
        labels = {row["agent_id"]: row["label"] for row in _agents(run)}
        for event in events:
            event["agent_label"] = labels.get(event.get("agent_id"))


def _agents(run: Invocation) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = run.call("list_agents", {})["agents"]
    return rows
