"""What is known of log attachments, and of how far their files were read."""

from __future__ import annotations

from dataclasses import dataclass

from agenttower.clock import Micros
from agenttower.store.models import Agent, LogAttachment, LogOffset
from agenttower.store.models.base import execute

CURRENT = ("active", "stale", "detached")
"""All states but the final one: an agent has at most one attachment in these."""


@dataclass(frozen=True, slots=True)
class AttachmentRecord:
    """A row of ``log_attachment``."""

    attachment_id: str
    agent_id: str
    log_path: str
    status: str
    source: str
    attached_at: Micros
    last_status_at: Micros
    superseded_at: Micros | None
    superseded_by: str | None
    bench_path: str | None
    via: str
    fetched: int
    fetched_size: int


@dataclass(frozen=True, slots=True)
class OffsetRecord:
    """A row of ``log_offset``."""

    byte_offset: int
    line_offset: int
    last_event_offset: int
    last_output_at: Micros | None
    file_inode: str | None
    file_size_seen: int


@dataclass(frozen=True, slots=True)
class LogFile:
    """What the host sees of a log file: ``<dev>:<ino>``, and its size in bytes."""

    inode: str
    size: int


def newest(agent_id: str) -> AttachmentRecord | None:
    """The attachment whose status changed last, in any state."""
    row = (
        LogAttachment.select()
        .where(LogAttachment.agent_id == agent_id)
        .order_by(LogAttachment.last_status_at.desc(), LogAttachment.created_at.desc())
        .first()
    )
    return None if row is None else _attachment(row)


def current(agent_id: str) -> AttachmentRecord | None:
    """The attachment that is not superseded."""
    row = LogAttachment.get_or_none(
        LogAttachment.agent_id == agent_id, LogAttachment.status.in_(CURRENT)
    )
    return None if row is None else _attachment(row)


def by_id(attachment_id: str) -> AttachmentRecord | None:
    """The attachment of this id."""
    row = LogAttachment.get_or_none(LogAttachment.attachment_id == attachment_id)
    return None if row is None else _attachment(row)


def active_on(log_path: str) -> AttachmentRecord | None:
    """The one that captures into this file of the host now."""
    row = LogAttachment.get_or_none(
        LogAttachment.log_path == log_path, LogAttachment.status == "active"
    )
    return None if row is None else _attachment(row)


def offset(agent_id: str, log_path: str) -> OffsetRecord | None:
    """How far an agent's log was read; ``None`` where it was never attached."""
    row = LogOffset.get_or_none(LogOffset.agent_id == agent_id, LogOffset.log_path == log_path)
    return None if row is None else _offset(row)


def fetched_through_engine(ended_since: Micros) -> list[tuple[str, AttachmentRecord]]:
    """The attachments that no mount shows us, with their containers that run.

    :param ended_since: also those that have ended since then, for what they had in hand; but none
        whose file another attachment has taken over.
    """
    rows = execute(
        "SELECT agent.container_id, attachment_id FROM log_attachment AS mine"
        " JOIN agent ON agent.agent_id = mine.agent_id"
        " JOIN container ON container.id = agent.container_id"
        " WHERE via = 'exec' AND container.active AND (mine.status = 'active'"
        " OR last_status_at >= ?) AND NOT EXISTS (SELECT 1 FROM log_attachment AS later"
        " WHERE later.agent_id = mine.agent_id AND later.log_path = mine.log_path"
        " AND later.created_at > mine.created_at)"
        " ORDER BY mine.created_at",
        (ended_since,),
    ).fetchall()
    found = [(container_id, by_id(attachment_id)) for container_id, attachment_id in rows]
    return [(container_id, row) for container_id, row in found if row is not None]


def containers_with_agents() -> list[str]:
    """The containers that run and have, or had, an agent."""
    rows = execute(
        "SELECT DISTINCT agent.container_id FROM agent"
        " JOIN container ON container.id = agent.container_id WHERE container.active"
    ).fetchall()
    return sorted(row[0] for row in rows)


def adopted(container_id: str, status: str) -> list[AttachmentRecord]:
    """The attachments of a container's active adopted agents that are in this state."""
    rows = (
        LogAttachment.select(LogAttachment)
        .join(Agent, on=(Agent.agent_id == LogAttachment.agent_id))
        .where(
            Agent.container_id == container_id,
            Agent.origin == "adopted",
            Agent.active,
            LogAttachment.status == status,
        )
    )
    return [_attachment(row) for row in rows]


def watched_containers() -> set[str]:
    """The containers that run and have an adopted agent with a log."""
    rows = execute(
        "SELECT DISTINCT agent.container_id FROM log_attachment"
        " JOIN agent ON agent.agent_id = log_attachment.agent_id"
        " JOIN container ON container.id = agent.container_id"
        " WHERE log_attachment.status = 'active' AND agent.origin = 'adopted' AND agent.active"
        " AND container.active"
    ).fetchall()
    return {row[0] for row in rows}


def _attachment(row: LogAttachment) -> AttachmentRecord:
    return AttachmentRecord(**{name: getattr(row, name) for name in AttachmentRecord.__slots__})


def _offset(row: LogOffset) -> OffsetRecord:
    return OffsetRecord(**{name: getattr(row, name) for name in OffsetRecord.__slots__})
