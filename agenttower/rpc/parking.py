"""Requests that wait for news without holding a thread."""

from __future__ import annotations

from agenttower.rpc.accounts import Account
from agenttower.rpc.connection import Connection

NEVER = float("inf")


class Parking:
    """The waiting connections, and when to look at them again.

    After a change all that have not seen it are run again: at once, or, in a burst of changes, once
    per ``gap_s``.
    """

    def __init__(self, places: int, gap_s: float) -> None:
        self._places = places
        self._gap_s = gap_s
        self._waiting: dict[Connection, None] = {}
        self._last_round = -NEVER
        self.due_at = NEVER
        """When :meth:`round` wants to be called, ``time.monotonic()`` seconds."""

    def __len__(self) -> int:
        return len(self._waiting)

    def full(self, account: Account) -> bool:
        """Whether the next one of this peer must be answered instead."""
        return len(self._waiting) >= self._places or account.parked >= account.share.parked

    def add(self, connection: Connection) -> None:
        """``connection.seen_change`` says what it knows already."""
        self._waiting[connection] = None
        connection.account.parked += 1

    def remove(self, connection: Connection) -> None:
        """No longer waiting; nothing happens where it was not."""
        if connection in self._waiting:
            del self._waiting[connection]
            connection.account.parked -= 1

    def round(self, change: int, now: float) -> list[Connection]:
        """Those to run again now.

        :param change: the number of the latest change.
        :param now: ``time.monotonic()`` seconds.
        """
        self.due_at = NEVER
        stale = [waiting for waiting in self._waiting if waiting.seen_change != change]
        if not stale:
            return []
        if now < self._last_round + self._gap_s:
            self.due_at = self._last_round + self._gap_s
            return []
        self._last_round = now
        return stale
