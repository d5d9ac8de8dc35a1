"""What is said of logs in our own log (legacy surfaces part 1, section 11), each thing once."""

from __future__ import annotations

import logging

from agenttower.store.agent_logs import LogFile
from agenttower.store.log_attaching import Attached

log = logging.getLogger(__name__)


def rotated(attached: Attached, file: LogFile | None) -> None:
    """A log that was attached again is not the file that was read last."""
    log.info(
        "log of %s: %s is another file than was read, now %s",
        attached.attachment.agent_id,
        attached.attachment.log_path,
        "missing" if file is None else f"inode {file.inode}, {file.size} bytes",
        extra={"action": "log_rotation_detected"},
    )


def orphan(container_id: str, agent_id: str, pane: str | None, path: str) -> None:
    """Something in a bench writes a log of which no row speaks."""
    log.warning(
        "container %s: %s is written for %s (pane %s), and no attachment says so; attach it with "
        "'agenttower agent attach-log', or end the pipe",
        container_id[:12],
        path,
        agent_id,
        pane or "unknown",
        extra={"action": "log_attachment_orphan_detected"},
    )


def mounts_oversized(container: str, count: int) -> None:
    """A container has more mounts than are looked through."""
    log.warning(
        "container %s has %d mounts", container, count, extra={"action": "mounts_json_oversized"}
    )
