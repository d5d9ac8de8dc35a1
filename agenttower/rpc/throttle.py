"""Keeping a peer from filling our log."""

from __future__ import annotations

import time


class Throttle:
    """Lets one event of a kind through per period. Safe to share: at worst one line too many."""

    def __init__(self, period_s: float = 10.0) -> None:
        self._period_s = period_s
        self._silent_until: dict[str, float] = {}

    def ready(self, kind: str) -> bool:
        """Whether to log this one. ``kind`` comes from a small fixed set."""
        now = time.monotonic()
        if now < self._silent_until.get(kind, 0.0):
            return False
        self._silent_until[kind] = now + self._period_s
        return True
