"""Attaching logs and ending that (legacy surfaces part 1, section 9.4).

In the caller's transaction; each change of status is told by one audit line.
"""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass, field
from typing import Any

from agenttower.clock import Micros
from agenttower.domain.attribution import NOBODY, Attribution
from agenttower.store import agent_logs, containers
from agenttower.store.agent_logs import AttachmentRecord, LogFile, OffsetRecord
from agenttower.store.models import LogAttachment, LogOffset


@dataclass(frozen=True, slots=True)
class NewAttachment:
    """A log that a pane is piped into by now. ``peer_uid`` is of who asked for it: ourselves, where
    nobody did."""

    agent_id: str
    log_path: str
    bench_path: str | None
    via: str
    source: str
    file: LogFile | None
    command: str | None = None
    prior_pipe_target: str | None = None
    peer_uid: int = field(default_factory=os.geteuid)
    attribution: Attribution = field(default_factory=lambda: NOBODY)


@dataclass(frozen=True, slots=True)
class Attached:
    """What attaching came to. ``rotated``: the file is another than was read last."""

    attachment: AttachmentRecord
    offset: OffsetRecord
    prior_status: str | None
    is_new: bool
    rotated: bool


def attach(wanted: NewAttachment, now: Micros) -> Attached:
    """Record that an agent's output goes into this file; the row that stands for it is kept.

    Offsets are kept as far as the file still is the one that was read; that also holds for a path
    that was superseded and comes back, since its bytes must not be classified twice.
    """
    before = agent_logs.current(wanted.agent_id)
    same = before if before is not None and before.log_path == wanted.log_path else None
    rotated = _keep_place(wanted, now, judged=same is None or same.status == "stale")
    attachment_id = same.attachment_id if same else f"lat_{uuid.uuid4().hex[:12]}"
    if before is not None and same is None:
        _supersede(before, attachment_id, now)
    facts: dict[str, Any] = {
        "bench_path": wanted.bench_path,
        "via": wanted.via,
        "pipe_pane_command": wanted.command,
    }
    if same is None:
        LogAttachment.insert(
            attachment_id=attachment_id,
            agent_id=wanted.agent_id,
            log_path=wanted.log_path,
            status="active",
            source=wanted.source,
            attached_at=now,
            last_status_at=now,
            created_at=now,
            prior_pipe_target=wanted.prior_pipe_target,
            **_fetched_before(wanted),
            **facts,
        ).execute()
    else:
        if same.status != "active":
            facts |= {"status": "active", "last_status_at": now, "source": wanted.source}
        if same.bench_path != wanted.bench_path:
            facts |= _fetched_before(wanted)
        LogAttachment.update(**facts).where(LogAttachment.attachment_id == attachment_id).execute()
    prior = None if before is None else before.status
    if same is None or prior != "active":
        _audit(
            attachment_id,
            wanted.agent_id,
            (prior, "active"),
            (None if before is None else before.log_path, wanted.log_path),
            wanted.source,
            now,
            prior_pipe_target=wanted.prior_pipe_target,
            peer_uid=wanted.peer_uid,
            attribution=wanted.attribution,
        )
    attached = agent_logs.by_id(attachment_id)
    place = agent_logs.offset(wanted.agent_id, wanted.log_path)
    assert attached is not None
    assert place is not None
    return Attached(attached, place, prior, same is None, rotated)


def end(
    agent_id: str,
    status: str,
    now: Micros,
    *,
    peer_uid: int | None = None,
    attribution: Attribution = NOBODY,
) -> AttachmentRecord | None:
    """Move the agent's active attachment to ``detached`` or ``stale``; the file is kept.

    :return: the attachment as it was, or ``None`` where none was active.
    """
    active = agent_logs.current(agent_id)
    if active is None or active.status != "active":
        return None
    LogAttachment.update(status=status, last_status_at=now).where(
        LogAttachment.attachment_id == active.attachment_id
    ).execute()
    paths = (active.log_path, active.log_path)
    _audit(
        active.attachment_id, agent_id, ("active", status), paths, active.source, now,
        prior_pipe_target=None, peer_uid=os.geteuid() if peer_uid is None else peer_uid,
        attribution=attribution,
    )  # fmt: skip
    return active


def note_fetched(attachment_id: str, fetched: int, size: int) -> None:
    """Of a bench's file, ``fetched`` bytes are copied; ours had ``size`` bytes then."""
    LogAttachment.update(fetched=fetched, fetched_size=size).where(
        LogAttachment.attachment_id == attachment_id
    ).execute()


def _keep_place(wanted: NewAttachment, now: Micros, *, judged: bool) -> bool:
    """Make or keep the offset row; returns whether its file turned out to be another one.

    :param judged: the file may have changed unseen. One that was never read has nothing to lose.
    """
    place = agent_logs.offset(wanted.agent_id, wanted.log_path)
    if place is None:
        LogOffset.insert(
            agent_id=wanted.agent_id,
            log_path=wanted.log_path,
            byte_offset=0,
            line_offset=0,
            last_event_offset=0,
            file_size_seen=0,
            created_at=now,
            updated_at=now,
        ).execute()
        return False
    if not judged or place.file_inode is None:
        return False
    file = wanted.file
    seen = max(place.file_size_seen, place.byte_offset)
    if file is not None and file.inode == place.file_inode and file.size >= seen:
        return False
    LogOffset.update(
        byte_offset=0,
        line_offset=0,
        last_event_offset=0,
        open_window=None,
        file_inode=None if file is None else file.inode,
        file_size_seen=0 if file is None else file.size,
        updated_at=now,
    ).where(LogOffset.agent_id == wanted.agent_id, LogOffset.log_path == wanted.log_path).execute()
    return True


def _fetched_before(wanted: NewAttachment) -> dict[str, Any]:
    """How much of the bench's file was copied when an earlier attachment of the agent had it."""
    row = (
        LogAttachment.select()
        .where(
            LogAttachment.agent_id == wanted.agent_id,
            LogAttachment.log_path == wanted.log_path,
            LogAttachment.bench_path == wanted.bench_path,
        )
        .order_by(LogAttachment.created_at.desc())
        .first()
    )
    if row is not None:
        return {"fetched": row.fetched, "fetched_size": row.fetched_size}
    return {"fetched": 0, "fetched_size": 0 if wanted.file is None else wanted.file.size}


def _supersede(old: AttachmentRecord, by: str, now: Micros) -> None:
    LogAttachment.update(
        status="superseded", superseded_at=now, superseded_by=by, last_status_at=now
    ).where(LogAttachment.attachment_id == old.attachment_id).execute()


def _audit(
    attachment_id: str,
    agent_id: str,
    status: tuple[str | None, str],
    path: tuple[str | None, str],
    source: str,
    now: Micros,
    *,
    prior_pipe_target: str | None,
    peer_uid: int,
    attribution: Attribution,
) -> None:
    """One ``log_attachment_change`` line (legacy surfaces part 1, section 11)."""
    containers.append_audit(
        "log_attachment_change",
        {
            "attachment_id": attachment_id,
            "agent_id": agent_id,
            "prior_status": status[0],
            "new_status": status[1],
            "prior_path": path[0],
            "new_path": path[1],
            "prior_pipe_target": prior_pipe_target,
            "source": source,
            "socket_peer_uid": peer_uid,
            **attribution,
        },
        now,
    )
