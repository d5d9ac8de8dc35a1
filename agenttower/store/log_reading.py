"""Named queries of the log reader: what is to be read, and how far it has been."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agenttower.clock import Micros
from agenttower.store.agent_events import Source
from agenttower.store.models.base import execute


@dataclass(frozen=True, slots=True)
class Reading:
    """An attachment and how far its log has been read; ``byte_offset`` is ``None`` where that was
    never written down."""

    attachment_id: str
    agent_id: str
    container_id: str | None
    log_path: str
    bench_path: str | None
    status: str
    source: str
    attached_at: Micros
    byte_offset: int | None
    line_offset: int
    last_event_offset: int
    last_output_at: Micros | None
    file_inode: str | None
    file_size_seen: int
    open_window: str | None
    updated_at: Micros

    @property
    def origin(self) -> Source:
        """Whose events these are."""
        return Source(self.attachment_id, self.agent_id, self.container_id, self.log_path)

    @property
    def last_output(self) -> Micros:
        """When something was last read, else when the row was written."""
        return self.updated_at if self.last_output_at is None else self.last_output_at


@dataclass(frozen=True, slots=True)
class Progress:
    """What an offset row shall say from now on."""

    byte_offset: int
    line_offset: int
    last_event_offset: int
    last_output_at: Micros | None
    file_inode: str | None
    file_size_seen: int
    open_window: str | None


STALE_WATCHED = 200
"""How many stale attachments are watched for their file's return."""

_COLUMNS = """
    a.attachment_id, a.agent_id, g.container_id, a.log_path, a.bench_path, a.status, a.source,
    a.attached_at, o.byte_offset, COALESCE(o.line_offset, 0), COALESCE(o.last_event_offset, 0),
    o.last_output_at, o.file_inode, COALESCE(o.file_size_seen, 0), o.open_window,
    COALESCE(o.updated_at, 0)
"""
_TABLES = """
    log_attachment a
    JOIN agent g ON g.agent_id = a.agent_id
    LEFT JOIN log_offset o ON o.agent_id = a.agent_id AND o.log_path = a.log_path
"""
_SAME_PANE = """
    p.container_id = g.container_id AND p.tmux_socket_path = g.tmux_socket_path
    AND p.tmux_pane_id = g.tmux_pane_id
"""


def active(via: str) -> list[Reading]:
    """Every log that is being read, oldest attachment first."""
    return _readings(
        "WHERE a.status = 'active' AND a.via = ? ORDER BY a.attached_at, a.attachment_id", (via,)
    )


def left_open(via: str) -> list[Reading]:
    """Logs that are not read any more and still have a window open."""
    return _readings(
        # Few windows are open at a time, and many attachments have ended.
        "WHERE a.agent_id IN (SELECT w.agent_id FROM log_offset w WHERE w.open_window IS NOT NULL)"
        " AND o.open_window IS NOT NULL AND a.via = ? AND a.status <> 'active' AND NOT EXISTS"
        " (SELECT 1 FROM log_attachment b WHERE b.agent_id = a.agent_id"
        " AND b.log_path = a.log_path AND (b.status = 'active' OR b.attached_at > a.attached_at))",
        (via,),
    )


def stale(via: str) -> list[Reading]:
    """Logs whose file was missed, or whose pane has gone; of many the latest."""
    return _readings(
        "WHERE a.status <> 'active' AND a.status = 'stale' AND a.via = ?"
        " ORDER BY a.last_status_at DESC LIMIT ?",
        (via, STALE_WATCHED),
    )


def ended(via: str, since: Micros) -> list[Reading]:
    """Logs that have not been attached any more since then, or later."""
    return _readings(
        "WHERE a.status <> 'active' AND a.via = ? AND a.last_status_at >= ?"
        " AND o.byte_offset IS NOT NULL AND NOT EXISTS (SELECT 1 FROM log_attachment b"
        " WHERE b.agent_id = a.agent_id AND b.log_path = a.log_path"
        " AND (b.status = 'active' OR b.attached_at > a.attached_at))",
        (via, since),
    )


def exited(via: str, silent_since: Micros, ended_since: Micros) -> list[Reading]:
    """Logs of panes that are gone, or whose program has ended, and that said nothing since then.

    A pane is gone where discovery has seen it and lists none like it as active.

    :param ended_since: attachments that became stale earlier are left out.
    """
    return [
        reading
        for status in ("a.status = 'active'", "a.status <> 'active' AND a.status = 'stale'")
        for reading in _exited(status, via, silent_since, ended_since)
    ]


def _exited(status: str, via: str, silent_since: Micros, ended_since: Micros) -> list[Reading]:
    return _readings(
        f"""WHERE {status} AND (a.status = 'active' OR a.last_status_at >= ?)
        AND a.via = ? AND o.byte_offset IS NOT NULL
        AND COALESCE(o.last_output_at, o.updated_at) <= ?
        AND (EXISTS (SELECT 1 FROM managed_pane m WHERE m.reserved_agent_id = a.agent_id
                     AND (m.state = 'failed' OR m.exit_code IS NOT NULL))
             OR (EXISTS (SELECT 1 FROM pane p WHERE {_SAME_PANE})
                 AND NOT EXISTS (SELECT 1 FROM pane p WHERE {_SAME_PANE} AND p.active
                     AND (g.tmux_server IS NULL OR p.tmux_server = g.tmux_server))))""",
        (ended_since, via, silent_since),
    )


def _readings(where: str, parameters: Sequence[object]) -> list[Reading]:
    rows = execute(f"SELECT {_COLUMNS} FROM {_TABLES} {where}", parameters)
    return [Reading(*row) for row in rows.fetchall()]


def begin(agent_id: str, log_path: str, now: Micros) -> None:
    """Write the offset row of a log that is read from its first byte on, unless there is one."""
    execute(
        "INSERT INTO log_offset (agent_id, log_path, byte_offset, line_offset, last_event_offset,"
        " file_size_seen, created_at, updated_at) VALUES (?, ?, 0, 0, 0, 0, ?, ?)"
        " ON CONFLICT (agent_id, log_path) DO NOTHING",
        (agent_id, log_path, now, now),
    )


def advance(reading: Reading, progress: Progress, now: Micros) -> bool:
    """Move an offset row, in the caller's transaction.

    :returns: ``False`` where the row, or the attachment's status, is not what was read: somebody
        else was first, and nothing was changed.
    """
    moved = execute(
        "UPDATE log_offset SET byte_offset = ?, line_offset = ?, last_event_offset = ?,"
        " last_output_at = ?, file_inode = ?, file_size_seen = ?, open_window = ?, updated_at = ?"
        " WHERE agent_id = ? AND log_path = ? AND byte_offset = ? AND updated_at = ?"
        " AND EXISTS (SELECT 1 FROM log_attachment WHERE attachment_id = ? AND status = ?)",
        (
            progress.byte_offset,
            progress.line_offset,
            progress.last_event_offset,
            progress.last_output_at,
            progress.file_inode,
            progress.file_size_seen,
            progress.open_window,
            max(now, reading.updated_at + 1),
            reading.agent_id,
            reading.log_path,
            reading.byte_offset,
            reading.updated_at,
            reading.attachment_id,
            reading.status,
        ),
    )
    return bool(moved.rowcount == 1)


def set_stale(attachment_id: str, now: Micros) -> bool:
    """An active attachment has lost its file, in the caller's transaction."""
    moved = execute(
        "UPDATE log_attachment SET status = 'stale', last_status_at = ?"
        " WHERE attachment_id = ? AND status = 'active'",
        (now, attachment_id),
    )
    return bool(moved.rowcount == 1)
