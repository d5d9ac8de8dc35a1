"""What the log reader knows between its looks, none of which it needs to go on."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from agenttower.clock import Clock, Micros
from agenttower.store.log_reading import Reading

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Look:
    """What one look came to."""

    started_at: Micros
    paths: list[str] = field(default_factory=list)
    """The logs that were looked at."""
    more: bool = False
    """Something was left for the next look, which should follow at once."""
    due_in_s: float | None = None
    """When a window closes, if nothing happens before; seconds from now."""
    lag_bytes: int = 0
    """What is on the disk and not read."""
    events: int = 0
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """An attachment that cannot be read or written down at the moment."""

    attachment_id: str
    agent_id: str
    error_class: str
    since: Micros
    events: int = 0
    """Events that wait for the database."""


class Troubles:
    """Who is in trouble since when; what is over is forgotten."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.reading: dict[str, Trouble] = {}
        self.writing: dict[str, Trouble] = {}

    def keep_only(self, attachment_ids: set[str]) -> None:
        """Forget attachments that are not there any more."""
        for kind in (self.reading, self.writing):
            for gone in kind.keys() - attachment_ids:
                del kind[gone]

    def unreadable(self, reading: Reading, error_class: str, message: str) -> bool:
        """A log cannot be read. Logged when that begins, not at every look.

        :returns: whether it begins.
        """
        known = self.reading.get(reading.attachment_id)
        if known is not None and known.error_class == error_class:
            return False
        log.warning("%s", message, extra={"action": "log_unreadable"})
        self.reading[reading.attachment_id] = self._trouble(reading, error_class, 0, None)
        return True

    def unwritten(self, reading: Reading, error_class: str, events: int) -> None:
        """What a log says could not be written down; it is still on the disk."""
        known = self.writing.get(reading.attachment_id)
        self.writing[reading.attachment_id] = self._trouble(reading, error_class, events, known)

    def _trouble(
        self, reading: Reading, error_class: str, events: int, known: Trouble | None
    ) -> Trouble:
        since = self._clock() if known is None else known.since
        return Trouble(reading.attachment_id, reading.agent_id, error_class, since, events)
