"""Showing logs: their state, and their text, redacted (legacy surfaces part 1, sections 9.7, 9.8).

The bench may write a log's file and its directory, so both are entered without following a link,
and nothing in them decides anything.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agenttower.bench import logpages, logplaces, visibility
from agenttower.clock import to_rfc3339, to_rfc3339_or_none
from agenttower.domain.redaction import shown_line
from agenttower.errors import AttachmentNotFound, LogFileMissing
from agenttower.paths import Paths
from agenttower.services.agents import known_agent
from agenttower.services.caller import Caller
from agenttower.store import agent_logs
from agenttower.store.agent_logs import AttachmentRecord, OffsetRecord


class LogReading:
    """``attach_log_status``, ``attach_log_preview`` and, additive, ``logs.read``."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def status(self, caller: Caller, agent_id: str) -> dict[str, Any]:
        """The newest attachment and how far it was read, from storage alone."""
        known_agent(caller, agent_id)
        log = agent_logs.newest(agent_id)
        if log is None:
            return {"agent_id": agent_id, "attachment": None, "offset": None}
        place = agent_logs.offset(agent_id, log.log_path)
        return {
            "agent_id": agent_id,
            "attachment": attachment_view(log),
            "offset": None if place is None else offset_view(place),
        }

    def preview(self, caller: Caller, agent_id: str, lines: int) -> dict[str, Any]:
        """The last lines of the host's file.

        :param lines: 1 to 200.
        :raises AttachmentNotFound: no log, or one that another has taken the place of.
        :raises LogFileMissing: there is no (plain) file.
        """
        log = self._readable(caller, agent_id)
        with self._opened(log) as file:
            page = logpages.tail(file, lines)
        pieces = [*page.lines, *([page.rest] if page.rest else [])][-lines:]
        return {
            "agent_id": agent_id,
            "attachment_id": log.attachment_id,
            "log_path": log.log_path,
            "lines": [_shown(piece) for piece in pieces],
        }

    def read(
        self,
        caller: Caller,
        agent_id: str,
        *,
        lines: int,
        offset: int | None,
        file_id: str | None,
    ) -> dict[str, Any]:
        """Whole lines from ``offset`` on, or the last ones where none is given.

        :param lines: at most this many.
        :param file_id: which file the offset is of; of another, or where the file is shorter now,
            it is read from its beginning, and ``reset`` says so.
        """
        log = self._readable(caller, agent_id)
        with self._opened(log) as file:
            status = os.fstat(file)
            inode = f"{status.st_dev}:{status.st_ino}"
            reset = offset is not None and (
                offset > status.st_size or (file_id is not None and file_id != inode)
            )
            if offset is None:
                page = logpages.tail(file, lines)
            else:
                page = logpages.forward(file, 0 if reset else offset, lines)
        return {
            "agent_id": agent_id,
            "attachment_id": log.attachment_id,
            "status": log.status,
            "log_path": log.log_path,
            "file": inode,
            "size": status.st_size,
            "offset": page.start,
            "next": page.following,
            "reset": reset,
            "lines": [_shown(line) for line in page.lines],
            "partial": _shown(page.rest) if page.rest else None,
        }

    def _readable(self, caller: Caller, agent_id: str) -> AttachmentRecord:
        known_agent(caller, agent_id)
        log = agent_logs.newest(agent_id)
        if log is None or log.status == "superseded":
            raise AttachmentNotFound(
                f"agent {agent_id} has no log; attach one with 'agenttower agent attach-log'"
            )
        return log

    @contextmanager
    def _opened(self, log: AttachmentRecord) -> Iterator[int]:
        path = Path(log.log_path)
        root = logplaces.root_of(path, self._paths.logs_dir)
        try:
            with visibility.opened(path, root) as file:
                yield file
        except OSError as error:
            raise LogFileMissing(
                f"the log {path} cannot be read: {error.strerror}; attach it again with "
                f"'agenttower agent attach-log {log.agent_id}'"
            ) from error


def _shown(line: bytes) -> str:
    cut = (
        line[: logpages.LINE_BYTES].decode("utf-8", "replace") + "…"
        if len(line) > logpages.LINE_BYTES
        else None
    )
    return shown_line(cut if cut is not None else line.decode("utf-8", "replace"))


def attachment_view(log: AttachmentRecord) -> dict[str, Any]:
    """An attachment as ``attach_log_status`` shows it; ``via`` is added."""
    return {
        "attachment_id": log.attachment_id,
        "log_path": log.log_path,
        "status": log.status,
        "source": log.source,
        "attached_at": to_rfc3339(log.attached_at),
        "last_status_at": to_rfc3339(log.last_status_at),
        "superseded_at": to_rfc3339_or_none(log.superseded_at),
        "superseded_by": log.superseded_by,
        "via": log.via,
    }


def offset_view(place: OffsetRecord) -> dict[str, Any]:
    """How far a log was read, as ``attach_log_status`` shows it."""
    return {
        "byte_offset": place.byte_offset,
        "line_offset": place.line_offset,
        "last_event_offset": place.last_event_offset,
        "last_output_at": to_rfc3339_or_none(place.last_output_at),
        "file_inode": place.file_inode,
        "file_size_seen": place.file_size_seen,
    }
