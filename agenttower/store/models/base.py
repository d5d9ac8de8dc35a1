"""What all tables share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from peewee import DatabaseProxy, ForeignKeyField, Model

database = DatabaseProxy()

STATES = "('creating', 'ready', 'degraded', 'failed', 'removed')"
ALIVE = "('creating', 'ready', 'degraded')"
"""States in which a pane holds its label and its tmux target."""
STAGES = (
    "('pane_create', 'launch_command', 'registration', 'log_attach', 'tmux_kill',"
    " 'recovery_reattach')"
)


def execute(sql: str, parameters: Sequence[object] = ()) -> Any:
    """Run one statement of the hot path; ``?`` marks a parameter in every dialect.

    Building the same by Peewee costs fifty times what running it does.
    """
    run: Callable[..., Any] = database.execute_sql
    return run(sql.replace("?", database.param), parameters)


class Table(Model):
    """Base of all tables: one database, explicit names."""

    class Meta:
        database = database
        legacy_table_names = False


def reference(table: type[Table]) -> ForeignKeyField:
    """A foreign key whose attribute is the id itself: nothing loads behind the reader's back."""
    return ForeignKeyField(
        table, lazy_load=False, object_id_name=f"{table.__name__}_key", on_delete="RESTRICT"
    )
