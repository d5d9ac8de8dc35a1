"""Reading a piece of a log of the host.

A bench can write in the directory of its logs, so nothing there is trusted: no link is followed,
and only regular files are read.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agenttower.domain.logfile import FileFacts
from agenttower.errors import AgentTowerError
from agenttower.store.log_reading import Reading


class LogUnreadable(AgentTowerError):
    """A log is there and cannot be read."""

    code = "log_unreadable"
    error_class = "log_unreadable"


class LogChanged(Exception):
    """The file was changed or replaced while it was being read; look again."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a log, and the one before them."""

    data: bytes
    byte_before: bytes


class LogSource(Protocol):
    """Where logs of one kind are read."""

    via: str
    """The kind, as attachments name it."""

    def facts(self, reading: Reading) -> FileFacts | None:
        """The file as it is now; ``None`` where there is none.

        :raises AgentTowerError: it cannot be told.
        """

    def read(self, reading: Reading, facts: FileFacts, limit: int) -> Piece:
        """At most ``limit`` bytes from the reading's offset on.

        :raises LogChanged: it is not the file that ``facts`` tells of any more.
        :raises AgentTowerError: it cannot be read.
        """


class HostLogs:
    """Logs that the host has as files: written by the bench through a mount, or copied by us."""

    def __init__(self, logs_dir: Path, via: str = "pipe") -> None:
        """:param logs_dir: ours; what leads to it may be links, what is in it may not.
        :param via: which of the two."""
        self._logs_dir = logs_dir
        self.via = via

    def facts(self, reading: Reading) -> FileFacts | None:
        try:
            return _facts(os.stat(reading.log_path, follow_symlinks=False), reading)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unreadable(reading, error.strerror) from error

    def read(self, reading: Reading, facts: FileFacts, limit: int) -> Piece:
        start = max(0, (reading.byte_offset or 0) - 1)
        try:
            file = self._open(Path(reading.log_path))
        except FileNotFoundError as error:
            raise LogChanged from error
        except OSError as error:
            raise _unreadable(reading, error.strerror) from error
        try:
            data = os.pread(file, limit + 1, start)
            now = _facts(os.fstat(file), reading)
        except OSError as error:
            raise _unreadable(reading, error.strerror) from error
        finally:
            os.close(file)
        # What was cut off under our hands may have been written anew already.
        if now.inode != facts.inode or now.size < max(facts.size, start + len(data)):
            raise LogChanged
        return _piece(data, reading, limit)

    def _open(self, path: Path) -> int:
        """Open a file through directories that are no links."""
        ours = path.is_relative_to(self._logs_dir)
        root = self._logs_dir if ours else Path(path.anchor)
        flags = os.O_DIRECTORY | os.O_CLOEXEC
        directory = os.open(root, os.O_PATH | flags)
        try:
            for part in path.relative_to(root).parts[:-1]:
                inner = os.open(part, os.O_PATH | os.O_NOFOLLOW | flags, dir_fd=directory)
                os.close(directory)
                directory = inner
            wanted = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            return os.open(path.name, wanted, dir_fd=directory)
        finally:
            os.close(directory)


def _facts(status: os.stat_result, reading: Reading) -> FileFacts:
    if not stat.S_ISREG(status.st_mode):
        raise _unreadable(reading, "it is no regular file")
    inode = f"{status.st_dev}:{status.st_ino}"
    return FileFacts(inode, status.st_size, status.st_mtime_ns // 1000)


def _unreadable(reading: Reading, reason: str | None) -> LogUnreadable:
    return LogUnreadable(
        f"the log {reading.log_path} of {reading.agent_id} cannot be read:"
        f" {reason or 'unknown reason'}; put a file in its place, or attach the log anew"
    )


def _piece(data: bytes, reading: Reading, limit: int) -> Piece:
    before = 1 if reading.byte_offset else 0
    return Piece(data[before : before + limit], data[:before])
