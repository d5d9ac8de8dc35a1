"""Writing down what a log said, together with how far it has been read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from agenttower.clock import Micros
from agenttower.crashpoints import crash_point
from agenttower.domain.agent_events import AgentEvent
from agenttower.services.reading_state import Look, Troubles
from agenttower.store import agent_events, log_reading
from agenttower.store.database import DatabaseBusy, Store
from agenttower.store.log_reading import Progress, Reading


class OffsetWriter:
    """The only place that moves an offset."""

    def __init__(self, store: Store, troubles: Troubles, wake_readers: Callable[[], None]) -> None:
        self._store = store
        self._troubles = troubles
        self._wake_readers = wake_readers

    def commit(
        self,
        reading: Reading,
        progress: Progress,
        events: Sequence[AgentEvent],
        now: Micros,
        look: Look,
        *,
        also: Callable[[], None] | None = None,
    ) -> bool:
        """Write events and offset in one transaction.

        :param also: writes what belongs to it, in the same transaction.
        :returns: ``False`` where somebody else was first: nothing was written.
        :raises DatabaseBusy: nothing was written; the bytes are still on the disk.
        """
        if events:
            progress = replace(progress, last_event_offset=events[-1].byte_start)
        try:
            with self._store.transaction() as transaction:
                if not log_reading.advance(reading, progress, now):
                    look.more = True
                    return False
                agent_events.insert(reading.origin, events)
                if also is not None:
                    also()
                crash_point("log_reader.written")
                if events or also is not None:
                    transaction.afterwards("readers", self._wake_readers)
        except DatabaseBusy as error:
            self._troubles.unwritten(reading, error.error_class, len(events))
            raise
        crash_point("log_reader.committed")
        self._troubles.writing.pop(reading.attachment_id, None)
        look.events += len(events)
        return True


def unmoved(reading: Reading) -> Progress:
    """An offset row as it is, to be changed in part."""
    assert reading.byte_offset is not None
    return Progress(
        byte_offset=reading.byte_offset,
        line_offset=reading.line_offset,
        last_event_offset=reading.last_event_offset,
        last_output_at=reading.last_output_at,
        file_inode=reading.file_inode,
        file_size_seen=reading.file_size_seen,
        open_window=reading.open_window,
    )
