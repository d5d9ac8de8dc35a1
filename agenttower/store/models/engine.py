"""The ledger: operations, steps, the workers that hold them, and the relay's position."""

from __future__ import annotations

from peewee import SQL, AutoField, BigIntegerField, BooleanField, Check, IntegerField, TextField

from agenttower.store.models.base import Table, reference


class Operation(Table):
    """A durable piece of work: create, recreate, remove. ``id`` is its place in the line.

    ``waiting``: another operation of its lane goes first (FR-019). ``running``: its steps may be
    claimed. ``started_at`` is the first claim, from where the marker's five minutes count.
    """

    id = AutoField()
    kind = TextField()
    lane = TextField()
    in_line = BooleanField()
    subject_id = TextField(index=True)
    state = TextField(constraints=[Check("state IN ('waiting', 'running', 'succeeded', 'failed')")])
    requested_by = TextField()
    created_at = BigIntegerField()
    started_at = BigIntegerField(null=True)
    resumed_at = BigIntegerField(null=True)
    finished_at = BigIntegerField(null=True)


Operation.add_index(
    Operation.index(Operation.lane, Operation.id, name="operation_unfinished").where(
        SQL("state IN ('waiting', 'running')")
    )
)


class Step(Table):
    """One persisted stage of an operation, and its ledger.

    ``fence`` rises with every claim; a settle names the fence it holds. ``history`` keeps what
    became of earlier attempts.
    """

    id = AutoField()
    operation_id = reference(Operation)
    stage = TextField()
    subject_id = TextField(index=True)
    lane = TextField()
    status = TextField(constraints=[Check("status IN ('pending', 'running', 'done', 'failed')")])
    attempt = IntegerField()
    failures = IntegerField()
    not_before = BigIntegerField()
    lease_owner = TextField(null=True)
    lease_until = BigIntegerField(null=True)
    fence = IntegerField()
    created_at = BigIntegerField()
    started_at = BigIntegerField(null=True)
    finished_at = BigIntegerField(null=True)
    error_class = TextField(null=True)
    error_text = TextField(null=True)
    history = TextField()

    class Meta:
        constraints = [
            Check("(status = 'running') = (lease_owner IS NOT NULL)"),
            Check("(status IN ('done', 'failed')) = (finished_at IS NOT NULL)"),
        ]
        indexes = ((("operation_id", "subject_id", "stage"), True),)


Step.add_index(
    Step.index(Step.status, Step.lease_until, name="step_unfinished").where(
        SQL("status IN ('pending', 'running')")
    )
)


class RelayPosition(Table):
    """How far the outbox has been written to ``events.jsonl``: one row."""

    id = IntegerField(primary_key=True, constraints=[Check("id = 1")])
    last_event_id = IntegerField()
    file_offset = BigIntegerField()


class Worker(Table):
    """A worker process: who may hold leases, and whether it is alive."""

    worker_id = TextField(primary_key=True)
    pid = IntegerField()
    process_start = BigIntegerField()
    boot_id = TextField()
    started_at = BigIntegerField()
    heartbeat_at = BigIntegerField()
    stopped_at = BigIntegerField(null=True)
