"""Reads what agents print, and tells what it says (legacy surfaces part 2, section 1).

One look visits every log that is attached and takes one piece of each that has grown, so that a log
that runs over starves no other. The events of a visit, the offset behind them and the window that
is still open commit together: killed at any instant, the next look finds either all of it or none,
and reads the same bytes again. Nothing is kept in memory that rows or files do not say.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from agenttower.clock import SECOND, Clock, Micros
from agenttower.crashpoints import crash_point
from agenttower.domain import debounce
from agenttower.domain.agent_events import AgentEvent
from agenttower.domain.classifier import RuleSet
from agenttower.domain.logfile import FileChange, FileFacts, file_change
from agenttower.domain.records import cut_excerpt, is_cut_inside, split_records
from agenttower.errors import AgentTowerError
from agenttower.services.last_words import LastWords
from agenttower.services.log_changes import LogChanges
from agenttower.services.log_source import LogChanged, LogSource
from agenttower.services.offset_writer import OffsetWriter, unmoved
from agenttower.services.reading_state import Look, Troubles
from agenttower.services.rule_files import RuleBook
from agenttower.services.silence import Silence
from agenttower.settings import EventRules
from agenttower.store import log_reading
from agenttower.store.database import DatabaseBusy, Store
from agenttower.store.log_reading import Reading

log = logging.getLogger(__name__)


class LogReader:
    """Reads the logs of one kind. One thread calls it."""

    def __init__(
        self,
        store: Store,
        source: LogSource,
        rule_book: RuleBook,
        settings: EventRules,
        clock: Clock,
        wake_readers: Callable[[], None],
    ) -> None:
        self._store = store
        self._source = source
        self._rule_book = rule_book
        self._settings = settings
        self._clock = clock
        self._span = int(settings.debounce_activity_window_seconds * SECOND)
        self._silence = Silence(settings, source.via)
        self._last_words = LastWords(source.via)
        self._rules = RuleSet()
        self.troubles = Troubles(clock)
        self._writer = OffsetWriter(store, self.troubles, wake_readers)
        self._changes = LogChanges(source, self._writer, self.troubles, clock)
        self._stopped = False
        self.cut_lines = 0
        """Pieces of lines longer than ``per_cycle_byte_cap_bytes``, since the start."""

    def look(self) -> Look:
        """Visit every attachment once. What goes wrong with one stops no other.

        :raises DatabaseBusy: the rows cannot be read; nothing was done.
        """
        start = time.monotonic()
        look = Look(self._clock())
        self._rules = self._rule_book.rules()
        readings = log_reading.active(self._source.via)
        look.paths = [reading.log_path for reading in readings]
        stale = log_reading.stale(self._source.via)
        known = {reading.attachment_id for reading in (*readings, *stale)}
        self.troubles.keep_only(known)
        self._silence.keep_only(known)
        try:
            self._each(self._visit, readings, look)
            self._each(self._drain, self._last_words.due(look.started_at), look)
            self._each(self._close_window, log_reading.left_open(self._source.via), look)
            self._each(self._tell_exit, self._silence.exited(look.started_at), look)
            self._each(self._changes.look_for, stale, look)
        except DatabaseBusy as error:
            # It would keep everybody waiting; what has not been written is still on the disk.
            log.warning("log reader waits: %s", error.message, extra={"action": "pump_waits"})
            look.more = True
        look.duration_s = time.monotonic() - start
        return look

    def stop(self) -> None:
        """End a look that is under way after the log that it is at; for any thread."""
        self._stopped = True

    # --- one attachment ------------------------------------------------------------------------

    def _each(
        self, work: Callable[[Reading, Look], None], readings: list[Reading], look: Look
    ) -> None:
        for reading in readings:
            if self._stopped:
                return
            try:
                work(reading, look)
            except DatabaseBusy:
                raise
            except AgentTowerError as error:
                self.troubles.unreadable(reading, error.error_class, error.message)
            except Exception as error:
                name = type(error).__name__
                if self.troubles.unreadable(reading, name, f"log of {reading.agent_id}: {error}"):
                    log.exception("unexpected", extra={"action": "log_reader_error"})

    def _visit(self, reading: Reading, look: Look) -> None:
        if reading.byte_offset is None:
            self._begin(reading, look)
            return
        facts = self._source.facts(reading)
        if facts is None:
            self._changes.miss(reading, look)
            return
        change = file_change(reading.file_inode, reading.file_size_seen, reading.byte_offset, facts)
        if change is not FileChange.UNCHANGED:
            self._changes.start_over(reading, facts, change, look)
            return
        limit = self._settings.per_cycle_byte_cap_bytes
        if facts.size <= reading.byte_offset or not self._read(reading, facts, limit, look):
            self._rest(reading, facts, look)
        self.troubles.reading.pop(reading.attachment_id, None)

    def _begin(self, reading: Reading, look: Look) -> None:
        """A managed log is ours from its first byte; where another began, only its attachment
        knows."""
        if reading.source != "managed":
            self.troubles.unreadable(
                reading,
                "offset_row_missing",
                f"it is not known how far the log of {reading.agent_id} was read; attach it again",
            )
            return
        with self._store.transaction():
            log_reading.begin(reading.agent_id, reading.log_path, self._clock())
        look.more = True

    def _drain(self, reading: Reading, look: Look) -> None:
        """Read the last words of a log that is not attached any more."""
        assert reading.byte_offset is not None
        inode, size = reading.file_inode, reading.file_size_seen
        try:
            facts = self._source.facts(reading)
            if (
                facts is None
                or file_change(inode, size, reading.byte_offset, facts) is not FileChange.UNCHANGED
            ):
                self._last_words.settle(reading)
                return
            end = self._last_words.up_to(reading, facts)
            limit = min(self._settings.per_cycle_byte_cap_bytes, end - reading.byte_offset)
            if limit > 0 and self._read(reading, facts, limit, look):
                look.more = True
            else:
                self._last_words.settle(reading)
        except DatabaseBusy:
            raise
        except AgentTowerError:
            self._last_words.settle(reading)
            raise

    def _read(self, reading: Reading, facts: FileFacts, limit: int, look: Look) -> bool:
        """Tell what the next piece says; ``False`` where it has no record.

        :param limit: at most so many bytes.
        """
        assert reading.byte_offset is not None
        cap = self._settings.per_cycle_byte_cap_bytes
        try:
            piece = self._source.read(reading, facts, limit)
        except LogChanged:
            return True  # the next look, soon enough, finds out how
        crash_point("log_reader.read")
        continued = is_cut_inside(piece.byte_before)
        records = list(split_records(piece.data, reading.byte_offset, cap, continued=continued))
        if not records:  # a line that is not finished waits on the disk
            look.lag_bytes += facts.size - reading.byte_offset
            return False
        now = self._clock()
        batch = debounce.Batch(reading.attachment_id, records, reading.line_offset, now)
        window = debounce.unpack_window(reading.open_window)
        outcome = debounce.collapse(batch, window, self._span, self._rules.classify, self._excerpt)
        end = records[-1].end
        progress = replace(
            unmoved(reading),
            byte_offset=end,
            line_offset=outcome.line_offset,
            last_output_at=now,
            file_inode=facts.inode,
            file_size_seen=facts.size,
            open_window=debounce.pack_window(outcome.window),
        )
        if self._writer.commit(reading, progress, outcome.events, now, look):
            self.cut_lines += sum(not record.whole for record in records)
            # A piece that is full says more than the size, which may be known in part only.
            full = len(piece.data) >= limit
            look.more |= full or facts.size > reading.byte_offset + len(piece.data)
            look.lag_bytes += max(0, facts.size - end)
            self._due(outcome.window, now, look)
        return True

    def _excerpt(self, text: str) -> str:
        settings = self._settings
        return cut_excerpt(
            text, settings.per_event_excerpt_cap_bytes, settings.excerpt_truncation_marker
        )

    def _rest(self, reading: Reading, facts: FileFacts, look: Look) -> None:
        """Nothing new: close a window that has lasted, tell a long silence, know the file."""
        now = self._clock()
        window = debounce.unpack_window(reading.open_window)
        told: list[AgentEvent] = []
        if window is not None and debounce.is_over(window, now, self._span):
            told, window = [window], None
        elif window is None and (silent := self._silence.long(reading, facts, now)) is not None:
            told = [silent]
        known = reading.file_inode is not None or facts.inode is None
        if told or not known:
            progress = replace(
                unmoved(reading),
                file_inode=facts.inode,
                file_size_seen=max(reading.file_size_seen, facts.size),
                open_window=debounce.pack_window(window),
            )
            self._writer.commit(reading, progress, told, now, look)
        self._due(window, now, look)

    def _close_window(self, reading: Reading, look: Look) -> None:
        """The log is not read any more: what was seen is told without waiting."""
        if self._last_words.waits(reading):
            return
        window = debounce.unpack_window(reading.open_window)
        assert window is not None
        progress = replace(unmoved(reading), open_window=None)
        self._writer.commit(reading, progress, [window], self._clock(), look)

    def _tell_exit(self, reading: Reading, look: Look) -> None:
        now = self._clock()
        window = debounce.unpack_window(reading.open_window)
        told = [*([window] if window else []), self._silence.exit_of(reading, now)]
        progress = replace(unmoved(reading), open_window=None)
        if self._writer.commit(reading, progress, told, now, look):
            look.more = True  # its row has changed under the readings of this look

    def _due(self, window: AgentEvent | None, now: Micros, look: Look) -> None:
        if window is None or window.window is None:
            return
        left = max(0.0, (window.window.started_at + self._span - now) / SECOND)
        look.due_in_s = left if look.due_in_s is None else min(look.due_in_s, left)
