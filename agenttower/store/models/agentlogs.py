"""Where the output of agents is captured, and how far it has been read."""

from __future__ import annotations

from peewee import SQL, BigIntegerField, Check, CompositeKey, TextField

from agenttower.store.models.base import Table, reference
from agenttower.store.models.benches import Agent


class LogAttachment(Table):
    """Where an agent's output is captured. ``log_path`` is the host's, ``bench_path`` the bench's;
    ``via`` says whether the bench writes it (``pipe``) or we read it through the engine (``exec``):
    then ``fetched`` bytes of the bench's file had been copied when ours had ``fetched_size``.
    """

    attachment_id = TextField(primary_key=True)
    agent_id = reference(Agent)
    log_path = TextField()
    status = TextField(
        constraints=[Check("status IN ('active', 'stale', 'detached', 'superseded')")]
    )
    source = TextField(constraints=[Check("source IN ('explicit', 'register_self', 'managed')")])
    attached_at = BigIntegerField()
    last_status_at = BigIntegerField()
    superseded_at = BigIntegerField(null=True)
    superseded_by = TextField(null=True)
    created_at = BigIntegerField()
    bench_path = TextField(null=True)
    via = TextField(constraints=[Check("via IN ('pipe', 'exec')")])
    pipe_pane_command = TextField(null=True)
    prior_pipe_target = TextField(null=True)
    fetched = BigIntegerField(constraints=[Check("fetched >= 0")])
    fetched_size = BigIntegerField(constraints=[Check("fetched_size >= 0")])


LogAttachment.add_index(
    LogAttachment.index(
        LogAttachment.log_path, name="log_attachment_active_path", unique=True
    ).where(SQL("status = 'active'"))
)
LogAttachment.add_index(
    LogAttachment.index(LogAttachment.last_status_at, name="log_attachment_ended").where(
        SQL("status <> 'active'")
    )
)
LogAttachment.add_index(
    LogAttachment.index(
        LogAttachment.attached_at, LogAttachment.attachment_id, name="log_attachment_listed"
    )
)
LogAttachment.add_index(
    LogAttachment.index(
        LogAttachment.last_status_at,
        LogAttachment.attachment_id,
        name="log_attachment_listed_by_change",
    )
)
LogAttachment.add_index(
    LogAttachment.index(
        LogAttachment.status,
        LogAttachment.last_status_at,
        LogAttachment.attachment_id,
        name="log_attachment_listed_by_status",
    )
)


class LogOffset(Table):
    """How far a log has been read; moved in the transaction that writes its events.

    A debounce window that is still open is kept in ``open_window`` (JSON) and moves with the
    offset, so that a crash loses no activity. ``file_inode`` is ``<device>:<inode>``.
    """

    agent_id = TextField()
    log_path = TextField()
    byte_offset = BigIntegerField(constraints=[Check("byte_offset >= 0")])
    line_offset = BigIntegerField(constraints=[Check("line_offset >= 0")])
    last_event_offset = BigIntegerField()
    last_output_at = BigIntegerField(null=True)
    file_inode = TextField(null=True)
    file_size_seen = BigIntegerField()
    open_window = TextField(null=True)
    created_at = BigIntegerField()
    updated_at = BigIntegerField()

    class Meta:
        primary_key = CompositeKey("agent_id", "log_path")


LogOffset.add_index(
    LogOffset.index(LogOffset.agent_id, LogOffset.log_path, name="log_offset_window").where(
        SQL("open_window IS NOT NULL")
    )
)


class LogChange(Table):
    """One request to attach or detach an agent's log, from its acceptance to its outcome.

    At most one of an agent is under way. ``request`` and ``outcome`` are JSON; ``undoing`` has
    failed and clears away what it did to the pane. Kept for a day after it has ended.
    """

    change_id = TextField(primary_key=True)
    agent_id = TextField()
    container_id = TextField()
    kind = TextField(constraints=[Check("kind IN ('attach', 'detach')")])
    state = TextField(constraints=[Check("state IN ('open', 'undoing', 'done', 'failed')")])
    request = TextField()
    outcome = TextField(null=True)
    created_at = BigIntegerField()
    finished_at = BigIntegerField(null=True)

    class Meta:
        constraints = [Check("(state IN ('done', 'failed')) = (finished_at IS NOT NULL)")]


LogChange.add_index(
    LogChange.index(LogChange.agent_id, name="log_change_under_way", unique=True).where(
        SQL("state IN ('open', 'undoing')")
    )
)
