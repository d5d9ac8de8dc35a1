"""``events.*``: what agents' output said, by page and as it comes (legacy surfaces part 2, 2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agenttower.clock import Clock, Micros
from agenttower.domain import event_pages
from agenttower.domain.agent_events import AGENT_EVENT_TYPES, SYNTHETIC_RULES
from agenttower.domain.events import EventType
from agenttower.engine.outbox import view
from agenttower.errors import (
    AgentNotFound,
    EventsFilterInvalid,
    EventsInvalidCursor,
    EventsSessionExpired,
    EventsSessionUnknown,
)
from agenttower.services.caller import Caller, same_container
from agenttower.services.follow_sessions import FollowSessions
from agenttower.services.rule_files import RuleBook
from agenttower.settings import EventRules
from agenttower.store import agent_events, agents
from agenttower.store.agent_events import EventFilter
from agenttower.store.models import Event

MANAGED_TYPES = tuple(str(name) for name in EventType)


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters as a client gave them, of the right types and not yet of the right values."""

    target: str | None = None
    types: Sequence[str] = ()
    since: str | None = None
    until: str | None = None


class AgentEventService:
    """Reads only. Callers in a bench see the events of their own container."""

    def __init__(
        self,
        settings: EventRules,
        rule_book: RuleBook,
        clock: Clock,
        wake_readers: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._rule_book = rule_book
        self._wake_readers = wake_readers
        self._sessions = FollowSessions(settings.follow_session_idle_timeout_seconds, clock)

    @property
    def longest_wait_s(self) -> float:
        """How long ``events.follow_next`` waits at most."""
        return self._settings.follow_long_poll_max_seconds

    def page(
        self, caller: Caller, asked: Asked, *, limit: int | None, cursor: object, reverse: bool
    ) -> dict[str, Any]:
        """One page of ``events.list``."""
        most = self._settings.max_page_size
        limit = self._settings.default_page_size if limit is None else limit
        if not 1 <= limit <= most:
            raise EventsFilterInvalid("limit", f"must be a whole number from 1 to {most}")
        wanted = self._filter(caller, asked)
        behind = None if cursor is None else _event_at(cursor, reverse=reverse)
        rows = agent_events.page_by_time(wanted, behind=behind, reverse=reverse, limit=limit + 1)
        more = len(rows) > limit
        return {
            "events": [shown(row) for row in rows[:limit]],
            "next_cursor": (
                event_pages.encode_place(rows[limit - 1].id, reverse=reverse) if more else None
            ),
        }

    def open(self, caller: Caller, asked: Asked) -> dict[str, Any]:
        """Begin to follow. The live part begins where the backlog ends: nothing falls between.

        Of a backlog longer than a page the latest events are shown, as ``tail`` does.
        """
        wanted = self._filter(caller, asked)
        bound = agent_events.latest_id()  # first: what comes from here on is live
        live = replace(wanted, since=None)
        result: dict[str, Any] = {
            "session_id": self._sessions.open(live, caller.scope, bound),
            "live_starting_event_id": bound,
        }
        if wanted.since is not None:
            size = self._settings.default_page_size
            rows = agent_events.page_by_time(
                wanted, behind=None, reverse=True, limit=size + 1, up_to=bound
            )
            result["backlog_events"] = [shown(row) for row in reversed(rows[:size])]
            result["backlog_truncated"] = len(rows) > size
        return result

    def next(self, caller: Caller, session_id: str, *, resumed: bool) -> dict[str, Any]:
        """What has come since the last call; ``events`` is empty where nothing has.

        :param resumed: the caller has been waiting, so that a session that went meanwhile is no
            error.
        """
        size = self._settings.max_page_size
        try:
            with self._sessions.using(session_id, caller.scope) as session:
                bound = agent_events.latest_id()
                rows = agent_events.page_by_id(
                    session.wanted, after=session.last_event_id, up_to=bound, limit=size
                )
                # What was looked at and did not fit is not looked at again.
                session.last_event_id = rows[-1].id if len(rows) == size else bound
        except (EventsSessionExpired, EventsSessionUnknown):
            if not resumed:
                raise
            return {"events": [], "session_open": False}
        return {"events": [shown(row) for row in rows], "session_open": True}

    def close(self, caller: Caller, session_id: str) -> dict[str, Any]:
        """End a session; whoever waits in it is answered."""
        self._sessions.close(session_id, caller.scope)
        self._wake_readers()
        return {}

    def rules(self) -> dict[str, Any]:
        """The rules in force, by priority; patterns are not shown."""
        return {
            "rules": [
                {
                    "rule_id": rule.rule_id,
                    "event_type": rule.event_type,
                    "priority": rule.priority,
                }
                for rule in self._rule_book.rules().rules
            ],
            "synthetic_rule_ids": list(SYNTHETIC_RULES.values()),
        }

    def _filter(self, caller: Caller, asked: Asked) -> EventFilter:
        scope = caller.scope
        known = (*AGENT_EVENT_TYPES, *MANAGED_TYPES)
        for name in asked.types:
            if name not in known:
                raise EventsFilterInvalid(
                    "types",
                    f"every entry must be one of {', '.join(AGENT_EVENT_TYPES)},"
                    " or of the managed types",
                )
        since, until = _instant("since", asked.since), _instant("until", asked.until)
        if since is not None and until is not None and since > until:
            raise EventsFilterInvalid("since", "must not be later than until")
        if asked.target is not None:
            _check_target(asked.target, scope)
        return EventFilter(
            agent_id=asked.target,
            agent_types=tuple(name for name in asked.types if name in AGENT_EVENT_TYPES),
            managed_types=tuple(name for name in asked.types if name in MANAGED_TYPES),
            container_id=scope,
            since=since,
            until=until,
        )


def shown(row: Event) -> dict[str, Any]:
    """An event as it is answered; a managed one as ``managed.event.list`` shows it."""
    return agent_events.event_object(row) if row.kind == "agent" else view(row)


def _check_target(agent_id: str, scope: str | None) -> None:
    """A foreign agent is answered like none, so that a bench cannot probe what exists."""
    agent = agents.by_id(agent_id)
    if agent is None or (scope is not None and not same_container(agent.container_id, scope)):
        raise AgentNotFound


def _instant(field: str, text: str | None) -> Micros | None:
    if text is None:
        return None
    try:
        return event_pages.parse_instant(text)
    except ValueError:
        raise EventsFilterInvalid(
            field, "must be a time with its offset, such as 2026-05-06T18:01:34Z"
        ) from None


def _event_at(cursor: object, *, reverse: bool) -> Event:
    try:
        event = agent_events.one(event_pages.decode_place(cursor, reverse=reverse))
    except ValueError:
        raise EventsInvalidCursor from None
    if event is None:
        raise EventsInvalidCursor
    return event
