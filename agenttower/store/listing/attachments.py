"""Log attachments as ``app.log_attachment.*`` shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agenttower.clock import Micros
from agenttower.store.listing.pages import Lanes, Line, Listing, equal


@dataclass(frozen=True, slots=True)
class AttachmentRow:
    """Where an agent's output is, or was, captured."""

    attachment_id: str
    agent_id: str
    container_id: str
    log_path: str
    status: str
    source: str
    attached_at: Micros
    last_status_at: Micros


_STATUSES = ("active", "detached", "stale", "superseded")


def _record(row: Sequence[Any]) -> AttachmentRow:
    return AttachmentRow(*row)


LISTING = Listing(
    table="log_attachment",
    source="log_attachment JOIN agent ON agent.agent_id = log_attachment.agent_id",
    columns="""log_attachment.attachment_id, log_attachment.agent_id, agent.container_id,
  log_attachment.log_path, log_attachment.status, log_attachment.source,
  log_attachment.attached_at, log_attachment.last_status_at""",
    record=_record,
    lines={
        "last_status_at": Line(
            ("log_attachment.last_status_at", "log_attachment.attachment_id"), (int, str)
        ),
        "attached_at": Line(
            ("log_attachment.attached_at", "log_attachment.attachment_id"), (int, str)
        ),
        "status": Line(
            ("log_attachment.last_status_at", "log_attachment.attachment_id"),
            (str, int, str),
            Lanes("log_attachment.status", lambda: _STATUSES),
        ),
    },
    filters={
        "agent_id": equal("log_attachment.agent_id"),
        "status": equal("log_attachment.status"),
    },
)


def by_id(attachment_id: str) -> AttachmentRow | None:
    """The attachment of this id, in any state."""
    return LISTING.first("log_attachment.attachment_id = ?", attachment_id)
