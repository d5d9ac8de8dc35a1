"""App sessions: who an ``app.*`` request is attributed to (app surface, section 5).

They are no boundary: the socket's mode and the peer's uid are. So they live in memory, and a
restarted daemon makes its clients say hello again.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from agenttower.rpc.app.errors import AppError

CAP = 8
IDLE_S = 1800.0
"""A session that nobody used for so long gives its place back (design.md section 6)."""

_HELLO_AGAIN = "say app.hello to open a session, and send its token as params.app_session_token"


@dataclass(slots=True)
class AppSession:
    """One successful ``app.hello``."""

    token: str
    """Never persisted, never logged, never in an audit row."""
    id: int
    """What audit rows name."""
    client_id: str
    client_version: str
    major: int
    uid: int
    started_at: float
    """``time.monotonic()`` seconds, as ``used_at``."""
    used_at: float
    nonce: str = field(default_factory=lambda: uuid.uuid4().hex)
    """Of no other session, also of no earlier daemon's; unlike the token it may be stored."""


class AppSessions:
    """The registry; safe to use from many threads."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._by_token: dict[str, AppSession] = {}
        self._last_id = 0

    def open(self, *, client_id: str, client_version: str, major: int, uid: int) -> AppSession:
        """A new session, never one that was there before.

        :param uid: the peer's, as the kernel told it.
        :raises AppError: ``validation_failed`` where :data:`CAP` sessions are in use.
        """
        with self._lock:
            now = self._monotonic()
            self._drop_idle(now)
            if len(self._by_token) >= CAP:
                raise AppError(
                    "validation_failed",
                    f"{CAP} app sessions are open; use one token for all requests of a client, "
                    f"or wait until one has been idle for {IDLE_S / 60:.0f} minutes",
                    field="app.hello",
                    reason="too_many_sessions",
                )
            self._last_id += 1
            session = AppSession(
                token=str(uuid.uuid4()),
                id=self._last_id,
                client_id=client_id,
                client_version=client_version,
                major=major,
                uid=uid,
                started_at=now,
                used_at=now,
            )
            self._by_token[session.token] = session
            return session

    def require(self, token: object) -> AppSession:
        """The session of a token.

        :param token: whatever was sent; ``None`` where nothing was.
        :raises AppError: ``app_session_required`` or ``app_session_expired``.
        """
        if not isinstance(token, str) or not token:
            raise AppError("app_session_required", f"this method needs a session; {_HELLO_AGAIN}")
        with self._lock:
            now = self._monotonic()
            session = self._by_token.get(token)
            if session is None or now - session.used_at > IDLE_S:
                raise AppError("app_session_expired", f"the session is over; {_HELLO_AGAIN}")
            session.used_at = now
            return session

    def _drop_idle(self, now: float) -> None:
        idle = [token for token, one in self._by_token.items() if now - one.used_at > IDLE_S]
        for token in idle:
            del self._by_token[token]
