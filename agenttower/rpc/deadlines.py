"""When connections have been in one phase for too long."""

from __future__ import annotations

import time
from collections.abc import Collection

from agenttower.rpc.connection import Connection
from agenttower.rpc.parking import NEVER


class Deadlines:
    """Looks at every connection only when one of them may be due."""

    def __init__(self) -> None:
        self.due_at = NEVER
        """When to ask for :meth:`overdue`, ``time.monotonic()`` seconds. A lower bound: an early
        look finds nothing due and sets it anew."""
        self._most_s = NEVER

    def hurry(self, most_s: float) -> None:
        """From now on give nothing more than so many seconds."""
        self._most_s = most_s

    def set(self, connection: Connection, at: float) -> None:
        """The present phase of a connection ends at that time."""
        connection.deadline = min(at, time.monotonic() + self._most_s)
        self.due_at = min(self.due_at, connection.deadline)

    def overdue(self, connections: Collection[Connection]) -> list[Connection]:
        """Those of all open connections whose time is up; each has to be given a new one."""
        now = time.monotonic()
        if now < self.due_at:
            return []
        late = [connection for connection in connections if connection.deadline <= now]
        kept = (connection.deadline for connection in connections if connection.deadline > now)
        self.due_at = min(kept, default=NEVER)
        return late
