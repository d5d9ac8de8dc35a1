"""Events that follow from nothing being printed: ``pane_exited`` and ``long_running``.

Legacy surfaces part 2, section 1.7. Whether one is due is read from rows and from the file; what is
remembered here only saves asking the same again.
"""

from __future__ import annotations

from agenttower.clock import SECOND, Micros
from agenttower.domain.agent_events import (
    LONG_RUNNING,
    PANE_EXITED,
    RUNNING_TYPES,
    AgentEvent,
    synthetic,
)
from agenttower.domain.logfile import FileFacts
from agenttower.settings import EventRules
from agenttower.store import agent_events, log_reading
from agenttower.store.log_reading import Reading

EXITS_EVERY: Micros = 2 * SECOND
"""How often panes are compared with attachments; the grace is much longer."""

EXITS_FOR: Micros = 24 * 3600 * SECOND
"""How long after an attachment's end its pane's exit is still told, e.g. after a restart."""


class Silence:
    """Says which attachments have been silent for long, and for which reason to tell of."""

    def __init__(self, settings: EventRules, via: str) -> None:
        self._via = via
        self._exit_grace = int(settings.pane_exited_grace_seconds * SECOND)
        self._long_grace = int(settings.long_running_grace_seconds * SECOND)
        self._exits_due: Micros = 0
        self._told: set[tuple[str, Micros]] = set()
        self._settled: dict[str, Micros] = {}

    def keep_only(self, attachment_ids: set[str]) -> None:
        """Forget attachments that are not there any more."""
        for gone in self._settled.keys() - attachment_ids:
            del self._settled[gone]

    def exited(self, now: Micros) -> list[Reading]:
        """Attachments whose pane has ended, for which that is to be told now.

        An attachment's life begins when it was attached; ``pane_exited`` is told once in it.
        """
        if self._exits_due - EXITS_EVERY <= now < self._exits_due:
            return []
        self._exits_due = now + EXITS_EVERY
        silent = log_reading.exited(self._via, now - self._exit_grace, now - EXITS_FOR)
        self._told &= {(reading.attachment_id, reading.attached_at) for reading in silent}
        due = []
        for reading in silent:
            life = (reading.attachment_id, reading.attached_at)
            if life in self._told:
                continue
            if agent_events.was_told(reading.agent_id, PANE_EXITED, reading.attached_at):
                self._told.add(life)
            else:
                due.append(reading)
        return due

    def exit_of(self, reading: Reading, now: Micros) -> AgentEvent:
        """The ``pane_exited`` of an attachment."""
        assert reading.byte_offset is not None
        return synthetic(PANE_EXITED, reading.byte_offset, reading.line_offset, now)

    def long(self, reading: Reading, facts: FileFacts, now: Micros) -> AgentEvent | None:
        """``long_running``, where the agent was at work and has been silent since.

        Told once: afterwards it is itself the latest event, and another has to come first.
        """
        assert reading.byte_offset is not None
        # A line that is being painted again and again is output too, though nothing is read of it.
        output = max(reading.last_output, min(facts.modified_at or 0, now))
        if now - output < self._long_grace or self._settled.get(reading.attachment_id) == output:
            return None
        latest = agent_events.latest_type(reading.agent_id, reading.attached_at)
        if latest in RUNNING_TYPES:
            return synthetic(LONG_RUNNING, reading.byte_offset, reading.line_offset, now)
        self._settled[reading.attachment_id] = output
        return None
