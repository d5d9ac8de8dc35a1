"""What is to be done when a log file was replaced, emptied, or is missing.

Legacy surfaces part 2, section 1.3. A window that is open is told before anything of it is
forgotten.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from agenttower.clock import Clock
from agenttower.domain import debounce
from agenttower.domain.agent_events import AgentEvent
from agenttower.domain.logfile import FileChange, FileFacts
from agenttower.services.log_source import LogSource
from agenttower.services.offset_writer import OffsetWriter, unmoved
from agenttower.services.reading_state import Look, Troubles
from agenttower.store import containers, log_reading
from agenttower.store.log_reading import Progress, Reading

log = logging.getLogger(__name__)

NO_FILE = "none"
"""Stands for the identity of a managed log that was missing when it was looked for."""


class LogChanges:
    """Answers each kind of change once."""

    def __init__(
        self, source: LogSource, writer: OffsetWriter, troubles: Troubles, clock: Clock
    ) -> None:
        self._source = source
        self._writer = writer
        self._troubles = troubles
        self._clock = clock
        self._returned: set[tuple[str, str, str | None]] = set()

    def start_over(
        self, reading: Reading, facts: FileFacts, change: FileChange, look: Look
    ) -> None:
        """Another file, or the same from its beginning; nothing of the old one is told later."""
        progress = Progress(
            byte_offset=0,
            line_offset=0,
            last_event_offset=0,
            last_output_at=reading.last_output_at,
            file_inode=facts.inode,
            file_size_seen=facts.size,
            open_window=None,
        )
        if self._writer.commit(reading, progress, _open(reading), self._clock(), look):
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

    def miss(self, reading: Reading, look: Look) -> None:
        """The file is not there. A managed log comes back, because its pane is piped again."""
        if reading.source == "managed":
            self._troubles.unreadable(
                reading,
                "log_file_missing",
                f"the log {reading.log_path} of {reading.agent_id} is not there; the pane is"
                " piped into a new one at the next look at its container",
            )
            self._forget_file(reading, look)
            return
        now = self._clock()
        progress = replace(unmoved(reading), open_window=None)

        def end() -> None:
            log_reading.set_stale(reading.attachment_id, now)
            containers.append_audit("log_attachment_change", _went_stale(reading), now)

        if not self._writer.commit(reading, progress, _open(reading), now, look, also=end):
            return
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
        progress = replace(unmoved(reading), file_inode=NO_FILE, open_window=None)
        self._writer.commit(reading, progress, _open(reading), self._clock(), look)

    def look_for(self, reading: Reading, _look: Look) -> None:
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


def _open(reading: Reading) -> list[AgentEvent]:
    """The window that is open, to be told now."""
    window = debounce.unpack_window(reading.open_window)
    return [] if window is None else [window]


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
