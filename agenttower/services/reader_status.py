"""What the log reader says of itself (legacy surfaces part 2, section 13)."""

from __future__ import annotations

from typing import Any

from agenttower.clock import SECOND, Clock, Micros, to_rfc3339, to_rfc3339_or_none
from agenttower.services.reading_state import Look, Trouble, Troubles
from agenttower.store import subsystems
from agenttower.store.database import DatabaseBusy, Store

EVERY: Micros = 10 * SECOND
"""How old the row may become while nothing changes."""
AT_MOST_EVERY: Micros = 2 * SECOND


class ReaderStatus:
    """Keeps one row of ``subsystem`` up to date, without writing it all the time."""

    def __init__(self, store: Store, name: str, clock: Clock) -> None:
        self._store = store
        self._name = name
        self._clock = clock
        self._written_at: Micros = 0
        self._said: object = None

    def tell(self, look: Look, troubles: Troubles, cut_lines: int) -> None:
        """Write the row if it is time to."""
        now = self._clock()
        facts = (len(look.paths), sorted(troubles.reading), sorted(troubles.writing))
        pause = EVERY if facts == self._said and not look.lag_bytes else AT_MOST_EVERY
        if abs(now - self._written_at) < pause:
            return
        document = document_of(look, troubles, cut_lines, running=True)
        if self._write(document, now):
            self._said = facts

    def stopped(self) -> None:
        """The reader runs no more."""
        known = subsystems.read(self._name)
        if known is not None:
            self._write(known[0] | {"running": False}, self._clock())

    def _write(self, document: dict[str, Any], now: Micros) -> bool:
        try:
            with self._store.transaction():
                subsystems.write(self._name, document, now)
        except DatabaseBusy:
            return False  # the next look tells it
        self._written_at = now
        return True


def document_of(look: Look, troubles: Troubles, cut_lines: int, *, running: bool) -> dict[str, Any]:
    """The members ``events_reader`` and ``degraded_sqlite`` of ``status``, and some of our own."""
    return {
        "running": running,
        "last_cycle_started_at": to_rfc3339(look.started_at),
        "last_cycle_duration_ms": round(look.duration_s * 1000),
        "active_attachments": len(look.paths),
        "attachments_in_failure": [
            {
                "attachment_id": trouble.attachment_id,
                "agent_id": trouble.agent_id,
                "error_class": trouble.error_class,
                "since": to_rfc3339(trouble.since),
            }
            for trouble in troubles.reading.values()
        ],
        "lag_bytes": look.lag_bytes,
        "cut_lines": cut_lines,
        "degraded_sqlite": _degraded(list(troubles.writing.values())),
    }


def _degraded(waiting: list[Trouble]) -> dict[str, Any] | None:
    if not waiting:
        return None
    return {
        "since": to_rfc3339_or_none(min(trouble.since for trouble in waiting)),
        "buffered_attachments": [
            {
                "attachment_id": trouble.attachment_id,
                "agent_id": trouble.agent_id,
                "buffered_count": trouble.events,
                "last_error_class": trouble.error_class,
            }
            for trouble in waiting
        ],
    }
