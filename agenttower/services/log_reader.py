"""Reads what agents print, and tells what it says (legacy surfaces part 2, section 1).

One look visits every log that is attached and takes one piece of each that has grown, so that a log
that runs over starves no other. The events of a visit, the offset behind them and the window that
is still open commit together: killed at any instant, the next look finds either all of it or none,
and reads the same bytes again. Nothing is kept in memory that rows or files do not say.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from agenttower.clock import SECOND, Clock, Micros
from agenttower.crashpoints import crash_point
from agenttower.domain import debounce
from agenttower.domain.agent_events import AgentEvent
from agenttower.domain.classifier import RuleSet
from agenttower.domain.logfile import FileChange, FileFacts, file_change
from agenttower.domain.records import cut_excerpt, is_cut_inside, split_records
from agenttower.errors import AgentTowerError
from agenttower.services.log_source import LogChanged, LogSource
from agenttower.services.rule_files import RuleBook
from agenttower.services.silence import Silence
from agenttower.settings import EventRules
from agenttower.store import agent_events, containers, log_reading
from agenttower.store.database import DatabaseBusy, Store
from agenttower.store.log_reading import Progress, Reading

log = logging.getLogger(__name__)

NO_FILE = "none"
"""Stands for the identity of a managed log that was missing when it was looked for."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """An attachment that cannot be read or written down at the moment."""

    attachment_id: str
    agent_id: str
    error_class: str
    since: Micros
    events: int = 0
    """Events that wait for the database."""


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


@dataclass(slots=True)
class Troubles:
    """Who is in trouble since when; what is over is forgotten."""

    reading: dict[str, Trouble] = field(default_factory=dict)
    writing: dict[str, Trouble] = field(default_factory=dict)

    def keep_only(self, attachment_ids: set[str]) -> None:
        for kind in (self.reading, self.writing):
            for gone in kind.keys() - attachment_ids:
                del kind[gone]


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
        self._wake_readers = wake_readers
        self._span = int(settings.debounce_activity_window_seconds * SECOND)
        self._silence = Silence(settings, source.via)
        self._returned: set[tuple[str, str, str | None]] = set()
        self._rules = RuleSet()
        self.troubles = Troubles()
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
            for work, whose in (
                (self._tell_exit, self._silence.exited(look.started_at)),
                (self._visit, readings),
                (self._close_window, log_reading.left_open(self._source.via)),
                (self._look_for, stale),
            ):
                for reading in whose:
                    self._survive(work, reading, look)
        except DatabaseBusy as error:
            # It would keep everybody waiting; what has not been written is still on the disk.
            log.warning("log reader waits: %s", error.message, extra={"action": "pump_waits"})
            look.more = True
        look.duration_s = time.monotonic() - start
        return look

    # --- one attachment ------------------------------------------------------------------------

    def _survive(self, work: Callable[[Reading, Look], None], reading: Reading, look: Look) -> None:
        try:
            work(reading, look)
        except DatabaseBusy:
            raise
        except AgentTowerError as error:
            self._note(reading, error.error_class, error.message)
        except Exception as error:
            log.exception("log of %s", reading.agent_id, extra={"action": "log_reader_error"})
            self._note(reading, type(error).__name__, str(error))

    def _note(self, reading: Reading, error_class: str, message: str) -> None:
        known = self.troubles.reading.get(reading.attachment_id)
        if known is None or known.error_class != error_class:
            log.warning("%s", message, extra={"action": "log_unreadable"})
            self.troubles.reading[reading.attachment_id] = Trouble(
                reading.attachment_id, reading.agent_id, error_class, self._clock()
            )

    def _visit(self, reading: Reading, look: Look) -> None:
        if reading.byte_offset is None:
            self._begin(reading, look)
            return
        facts = self._source.facts(reading)
        if facts is None:
            self._miss(reading, look)
            return
        change = file_change(reading.file_inode, reading.file_size_seen, reading.byte_offset, facts)
        if change is not FileChange.UNCHANGED:
            self._start_over(reading, facts, change, look)
            return
        if facts.size > reading.byte_offset:
            self._read(reading, facts, look)
        else:
            self._rest(reading, facts, look)
        self.troubles.reading.pop(reading.attachment_id, None)

    def _begin(self, reading: Reading, look: Look) -> None:
        """A managed log is ours from its first byte; where another began, only its attachment
        knows."""
        if reading.source != "managed":
            self._note(
                reading,
                "offset_row_missing",
                f"it is not known how far the log of {reading.agent_id} was read; attach it again",
            )
            return
        with self._store.transaction():
            log_reading.begin(reading.agent_id, reading.log_path, self._clock())
        look.more = True

    def _read(self, reading: Reading, facts: FileFacts, look: Look) -> None:
        assert reading.byte_offset is not None
        cap = self._settings.per_cycle_byte_cap_bytes
        try:
            piece = self._source.read(reading, facts, cap)
        except LogChanged:
            return  # the next look, soon enough, finds out how
        crash_point("log_reader.read")
        continued = is_cut_inside(piece.byte_before)
        records = list(split_records(piece.data, reading.byte_offset, cap, continued=continued))
        if not records:  # a line that is not finished waits on the disk
            look.lag_bytes += facts.size - reading.byte_offset
            self._rest(reading, facts, look)
            return
        now = self._clock()
        batch = debounce.Batch(reading.attachment_id, records, reading.line_offset, now)
        window = debounce.unpack_window(reading.open_window)
        outcome = debounce.collapse(batch, window, self._span, self._rules.classify, self._excerpt)
        end = records[-1].end
        progress = replace(
            _unmoved(reading),
            byte_offset=end,
            line_offset=outcome.line_offset,
            last_output_at=now,
            file_inode=facts.inode,
            file_size_seen=facts.size,
            open_window=debounce.pack_window(outcome.window),
        )
        if self._commit(reading, progress, outcome.events, now, look):
            self.cut_lines += sum(not record.whole for record in records)
            look.more |= facts.size > reading.byte_offset + len(piece.data)
            look.lag_bytes += max(0, facts.size - end)
            self._due(outcome.window, now, look)

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
                _unmoved(reading),
                file_inode=facts.inode,
                file_size_seen=max(reading.file_size_seen, facts.size),
                open_window=debounce.pack_window(window),
            )
            self._commit(reading, progress, told, now, look)
        self._due(window, now, look)

    def _close_window(self, reading: Reading, look: Look) -> None:
        """The log is not read any more: what was seen is told without waiting."""
        window = debounce.unpack_window(reading.open_window)
        assert window is not None
        progress = replace(_unmoved(reading), open_window=None)
        self._commit(reading, progress, [window], self._clock(), look)

    def _tell_exit(self, reading: Reading, look: Look) -> None:
        now = self._clock()
        window = debounce.unpack_window(reading.open_window)
        told = [*([window] if window else []), self._silence.exit_of(reading, now)]
        progress = replace(_unmoved(reading), open_window=None)
        if self._commit(reading, progress, told, now, look):
            look.more = True  # its row has changed under the readings of this look

    # --- what becomes of files -----------------------------------------------------------------

    def _start_over(
        self, reading: Reading, facts: FileFacts, change: FileChange, look: Look
    ) -> None:
        """Another file, or the same from its beginning; nothing of the old one is told later."""
        window = debounce.unpack_window(reading.open_window)
        progress = Progress(
            byte_offset=0,
            line_offset=0,
            last_event_offset=0,
            last_output_at=reading.last_output_at,
            file_inode=facts.inode,
            file_size_seen=facts.size,
            open_window=None,
        )
        told = [] if window is None else [window]
        if self._commit(reading, progress, told, self._clock(), look):
            look.more = True
            log.info(
                "log_rotation_detected agent=%s path=%s change=%s prior_inode=%s new_inode=%s"
                " prior_size=%d new_size=%d",
                reading.agent_id,
                reading.log_path,
                change.value,
                reading.file_inode,
                facts.inode,
                reading.file_size_seen,
                facts.size,
                extra={"action": "log_rotation_detected"},
            )

    def _miss(self, reading: Reading, look: Look) -> None:
        """The file is not there. A managed log comes back, because its pane is piped again."""
        if reading.source == "managed":
            self._note(
                reading,
                "log_file_missing",
                f"the log {reading.log_path} of {reading.agent_id} is not there; the pane is"
                " piped into a new one at the next look at its container",
            )
            self._forget_file(reading, look)
            return
        now = self._clock()
        window = debounce.unpack_window(reading.open_window)
        with self._store.transaction() as transaction:
            progress = replace(_unmoved(reading), open_window=None)
            if not log_reading.advance(reading, progress, now):
                return
            agent_events.insert(reading.origin, [] if window is None else [window])
            log_reading.set_stale(reading.attachment_id, now)
            containers.append_audit("log_attachment_change", _went_stale(reading), now)
            transaction.afterwards("readers", self._wake_readers)
        look.events += window is not None
        log.warning(
            "log_file_missing agent=%s path=%s last_known_inode=%s last_known_size=%d",
            reading.agent_id,
            reading.log_path,
            reading.file_inode,
            reading.file_size_seen,
            extra={"action": "log_file_missing"},
        )

    def _forget_file(self, reading: Reading, look: Look) -> None:
        """Whatever comes to stand there is another file, though it may get the same inode."""
        if reading.file_inode in (None, NO_FILE):
            return
        window = debounce.unpack_window(reading.open_window)
        progress = replace(_unmoved(reading), file_inode=NO_FILE, open_window=None)
        self._commit(reading, progress, [window] if window else [], self._clock(), look)

    def _look_for(self, reading: Reading, _look: Look) -> None:
        """A stale attachment stays so until somebody attaches the log again; its file's return is
        said once."""
        facts = self._source.facts(reading)
        if facts is None:
            return
        sign = (reading.agent_id, reading.log_path, facts.inode)
        if sign not in self._returned and reading.byte_offset is not None:
            self._returned.add(sign)
            log.info(
                "log_file_returned agent=%s path=%s new_inode=%s new_size=%d; attach it again",
                reading.agent_id,
                reading.log_path,
                facts.inode,
                facts.size,
                extra={"action": "log_file_returned"},
            )

    # --- writing -------------------------------------------------------------------------------

    def _commit(
        self,
        reading: Reading,
        progress: Progress,
        events: Sequence[AgentEvent],
        now: Micros,
        look: Look,
    ) -> bool:
        """Write events and offset in one transaction; ``False`` where somebody else was first."""
        if events:
            progress = replace(progress, last_event_offset=events[-1].byte_start)
        try:
            with self._store.transaction() as transaction:
                if not log_reading.advance(reading, progress, now):
                    look.more = True
                    return False
                agent_events.insert(reading.origin, events)
                crash_point("log_reader.written")
                if events:
                    transaction.afterwards("readers", self._wake_readers)
        except DatabaseBusy as error:
            self._note_waiting(reading, error.error_class, len(events))
            raise
        crash_point("log_reader.committed")
        self.troubles.writing.pop(reading.attachment_id, None)
        look.events += len(events)
        return True

    def _note_waiting(self, reading: Reading, error_class: str, events: int) -> None:
        known = self.troubles.writing.get(reading.attachment_id)
        since = self._clock() if known is None else known.since
        self.troubles.writing[reading.attachment_id] = Trouble(
            reading.attachment_id, reading.agent_id, error_class, since, events
        )

    def _due(self, window: AgentEvent | None, now: Micros, look: Look) -> None:
        if window is None or window.window is None:
            return
        left = max(0.0, (window.window.started_at + self._span - now) / SECOND)
        look.due_in_s = left if look.due_in_s is None else min(look.due_in_s, left)


def _unmoved(reading: Reading) -> Progress:
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


def _went_stale(reading: Reading) -> dict[str, object]:
    """The audit line of legacy surfaces part 1, section 11; nobody asked for it at a socket."""
    return {
        "attachment_id": reading.attachment_id,
        "agent_id": reading.agent_id,
        "prior_status": "active",
        "new_status": "stale",
        "prior_path": reading.log_path,
        "new_path": reading.log_path,
        "prior_pipe_target": None,
        "source": reading.source,
        "socket_peer_uid": None,
    }
