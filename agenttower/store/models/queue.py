"""Huey's tables, in our database and with our two columns."""

from __future__ import annotations

from peewee import (
    AutoField,
    BigIntegerField,
    BlobField,
    CompositeKey,
    FloatField,
    IntegerField,
    TextField,
)

from agenttower.store.models.base import Table


class QueueMessage(Table):
    """Huey's task table: a doorbell for one step, or a periodic task without one."""

    id = AutoField()
    queue = TextField()
    data = BlobField()
    priority = FloatField()
    step_id = IntegerField(null=True, index=True)
    not_before = BigIntegerField()

    class Meta:
        indexes = ((("queue", "not_before"), False),)


class QueueSchedule(Table):
    """Huey's schedule. Empty: waiting is a row of ours (``not_before``)."""

    id = AutoField()
    queue = TextField()
    data = BlobField()
    timestamp = BigIntegerField()


class QueueValue(Table):
    """Huey's key-value store. Results are off; kept so that every Huey feature has its table."""

    queue = TextField()
    key = TextField()
    value = BlobField()

    class Meta:
        primary_key = CompositeKey("queue", "key")


class QueueCounter(Table):
    """Huey's counters."""

    queue = TextField()
    key = TextField()
    value = IntegerField()

    class Meta:
        primary_key = CompositeKey("queue", "key")
