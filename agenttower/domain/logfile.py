"""What has become of a log file since it was last read (legacy surfaces part 2, section 1.3)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class FileChange(Enum):
    """Why reading may or may not go on where it stopped."""

    UNCHANGED = "unchanged"
    RECREATED = "recreated"
    """Another file has the name now."""
    TRUNCATED = "truncated"


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file as it is now. ``inode`` is ``<device>:<inode>``, ``None`` where nobody can tell."""

    inode: str | None
    size: int
    modified_at: int | None = None
    """Unix microseconds."""


def file_change(
    inode_seen: str | None, size_seen: int, byte_offset: int, now: FileFacts
) -> FileChange:
    """Compare a file with what is stored of it.

    A file that is shorter than what was read of it is truncated, whatever is stored of its size.
    """
    if inode_seen is not None and now.inode is not None and inode_seen != now.inode:
        return FileChange.RECREATED
    if now.size < max(byte_offset, size_seen if inode_seen is not None else 0):
        return FileChange.TRUNCATED
    return FileChange.UNCHANGED
