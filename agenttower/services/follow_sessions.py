"""Who follows events, and how far he has come; in memory, since a client can always open anew."""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from agenttower.clock import SECOND, Clock, Micros
from agenttower.errors import EventsSessionExpired, EventsSessionUnknown
from agenttower.store.agent_events import EventFilter

MOST = 200
"""Sessions of one container, or of the host, at once. One more ends the one of them that was asked
for least recently, so that nobody can end another's."""
REMEMBERED = 2000
"""Ended sessions that are still answered as expired."""


@dataclass(slots=True)
class FollowSession:
    """One follower."""

    wanted: EventFilter
    scope: str | None
    """The container that it was opened from; ``None`` for the host."""
    last_event_id: int
    """Up to which event all that is wanted has been delivered."""
    used_at: Micros


class FollowSessions:
    """Thread-safe."""

    def __init__(self, idle_s: float, clock: Clock) -> None:
        """:param idle_s: after how many seconds a session that nobody asks ends."""
        self._idle = int(idle_s * SECOND)
        self._clock = clock
        self._lock = threading.Lock()
        # By use, the least recent first.
        self._open: OrderedDict[str, FollowSession] = OrderedDict()
        self._expired: OrderedDict[str, str | None] = OrderedDict()

    def open(self, wanted: EventFilter, scope: str | None, last_event_id: int) -> str:
        """Begin a session; returns its handle."""
        session_id = f"fs_{uuid.uuid4().hex[:12]}"
        now = self._clock()
        with self._lock:
            self._expire(now)
            own = [name for name, session in self._open.items() if session.scope == scope]
            if len(own) >= MOST:
                self._end(own[0])
            self._open[session_id] = FollowSession(wanted, scope, last_event_id, now)
        return session_id

    @contextmanager
    def using(self, session_id: str, scope: str | None) -> Iterator[FollowSession]:
        """A session, for one caller at a time; its idle time begins anew.

        :raises EventsSessionExpired: it ended because nobody asked.
        :raises EventsSessionUnknown: there is none, or it belongs to another container.
        """
        with self._lock:
            now = self._clock()
            self._expire(now)
            session = self._open.get(session_id)
            if session is None or session.scope != scope:
                if session is None and self._expired.get(session_id, self) == scope:
                    raise EventsSessionExpired
                raise EventsSessionUnknown
            session.used_at = now
            self._open.move_to_end(session_id)
            yield session

    def close(self, session_id: str, scope: str | None) -> None:
        """End a session.

        :raises EventsSessionUnknown: there is none, or it belongs to another container.
        """
        with self._lock:
            session = self._open.get(session_id)
            if session is None or session.scope != scope:
                raise EventsSessionUnknown
            del self._open[session_id]

    def _expire(self, now: Micros) -> None:
        while self._open:
            session_id, session = next(iter(self._open.items()))
            if now - session.used_at < self._idle:
                return
            self._end(session_id)

    def _end(self, session_id: str) -> None:
        self._expired[session_id] = self._open.pop(session_id).scope
        while len(self._expired) > REMEMBERED:
            self._expired.popitem(last=False)
