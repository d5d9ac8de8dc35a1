"""What the routing worker counts: since its start for ``status``, and for each heartbeat."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import Any

from agenttower.clock import Micros


@dataclass(frozen=True, slots=True)
class Beat:
    """The counts of one heartbeat (legacy surfaces part 2, section 12)."""

    cycles: int
    events_consumed: int
    skips: int
    degraded: bool


class RoutingTally:
    """Counters of one worker. Safe for use by several threads."""

    def __init__(self, started_at: Micros) -> None:
        self._lock = threading.Lock()
        self._started_at = started_at
        self._cycles = 0
        self._consumed = 0
        self._skips: Counter[str] = Counter()
        self._last_cycle_at: Micros | None = None
        self._degraded_since: Micros | None = None
        self._trouble: str | None = None
        self._told = (0, 0, 0)

    def passed(self, events: int, skipped: str | None) -> None:
        """A cursor went over events, the last of them perhaps with a skip."""
        with self._lock:
            self._consumed += events
            if skipped is not None:
                self._skips[skipped] += 1

    def cycle(self, now: Micros, trouble: str | None) -> None:
        """A look at all routes has ended; a clean one ends the degradation (section 11.5)."""
        with self._lock:
            self._cycles += 1
            self._last_cycle_at = now
            self._trouble = trouble
            if trouble is None:
                self._degraded_since = None
            elif self._degraded_since is None:
                self._degraded_since = now

    def beat(self) -> Beat:
        """What has been counted since the last beat, which it begins anew."""
        with self._lock:
            total = (self._cycles, self._consumed, self._skips.total())
            cycles, consumed, skips = (
                now - then for now, then in zip(total, self._told, strict=True)
            )
            self._told = total
            return Beat(cycles, consumed, skips, self._degraded_since is not None)

    def give_back(self, beat: Beat) -> None:
        """The beat could not be written: its counts belong to the next one."""
        with self._lock:
            cycles, consumed, skips = self._told
            self._told = (
                cycles - beat.cycles,
                consumed - beat.events_consumed,
                skips - beat.skips,
            )

    def document(self) -> dict[str, Any]:
        """What ``status`` is told; times in unix microseconds."""
        with self._lock:
            return {
                "started_at": self._started_at,
                "last_cycle_at": self._last_cycle_at,
                "cycles": self._cycles,
                "events_consumed": self._consumed,
                "skips_by_reason": dict(self._skips),
                "degraded_since": self._degraded_since,
                "trouble": self._trouble,
            }
