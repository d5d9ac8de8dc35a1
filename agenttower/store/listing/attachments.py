"""Log attachments as ``app.log_attachment.*`` shows them."""

from __future__ import annotations

from dataclasses import dataclass

from agenttower.clock import Micros
from agenttower.store.models.base import execute


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


SELECT = """
SELECT log_attachment.attachment_id, log_attachment.agent_id, agent.container_id,
  log_attachment.log_path, log_attachment.status, log_attachment.source,
  log_attachment.attached_at, log_attachment.last_status_at
FROM log_attachment JOIN agent ON agent.agent_id = log_attachment.agent_id
"""


def by_id(attachment_id: str) -> AttachmentRow | None:
    """The attachment of this id, in any state."""
    row = execute(f"{SELECT} WHERE log_attachment.attachment_id = ?", (attachment_id,)).fetchone()
    return None if row is None else AttachmentRow(*row)
