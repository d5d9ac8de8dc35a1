"""What was printed last before a log was not attached any more.

An attachment ends in the moment in which its pane is found gone, and often before the reader has
come to the pane's last lines: those that say why. They are read up to where the file ended when
that was seen first; what others write there later is none of ours.
"""

from __future__ import annotations

from agenttower.clock import SECOND, Micros
from agenttower.domain.logfile import FileFacts
from agenttower.store import log_reading
from agenttower.store.log_reading import Reading

FOR: Micros = 600 * SECOND
"""How long after its end an attachment's last words are still read, e.g. after a restart."""


class LastWords:
    """Which ended attachments are still to be read, and how far."""

    def __init__(self, via: str) -> None:
        self._via = via
        self._targets: dict[tuple[str, Micros], int] = {}
        self._settled: set[tuple[str, Micros]] = set()

    def due(self, now: Micros) -> list[Reading]:
        """Attachments that have ended and are not known to have been read to their end."""
        ended = log_reading.ended(self._via, now - FOR)
        lives = {_life(reading) for reading in ended}
        self._settled &= lives
        self._targets = {life: size for life, size in self._targets.items() if life in lives}
        return [reading for reading in ended if _life(reading) not in self._settled]

    def up_to(self, reading: Reading, facts: FileFacts) -> int:
        """Where its last words end."""
        return self._targets.setdefault(_life(reading), facts.size)

    def settle(self, reading: Reading) -> None:
        """There is nothing more to be read."""
        self._settled.add(_life(reading))

    def waits(self, reading: Reading) -> bool:
        """Whether some of it is still to be read."""
        return _life(reading) in self._targets.keys() - self._settled


def _life(reading: Reading) -> tuple[str, Micros]:
    return (reading.attachment_id, reading.attached_at)
