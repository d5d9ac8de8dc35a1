"""Numbered migrations: scripts in ``migrations/``, applied in order at start, each once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from peewee import DatabaseError, OperationalError
from playhouse.migrations import Runner

from agenttower.errors import StateRefused
from agenttower.store.database import Store

DIRECTORY = Path(__file__).parent / "migrations"


def schema_version(store: Store) -> int:
    """The number of the newest migration that the database has; 0 for an empty one."""
    return max((int(name.split("_")[0]) for name in _runner(store).applied()), default=0)


def known_migrations() -> list[str]:
    """The names of this program's migrations, in order."""
    return sorted(path.stem for path in DIRECTORY.glob("[0-9]*.py"))


def newer_database(path: object, unknown: Sequence[str]) -> StateRefused:
    """The refusal of a database that has migrations which this program does not know."""
    return StateRefused(
        f"the database {path} was written by a newer AgentTower "
        f"(it has {', '.join(unknown)}); upgrade AgentTower, or restore an older backup"
    )


def migrate(store: Store) -> list[str]:
    """Bring the database up to this program's schema; returns what was applied.

    :raises StateRefused: the database was written by a newer program.
    """
    try:
        return _migrate(store)
    except DatabaseError as error:
        if isinstance(error, OperationalError):
            raise
        raise StateRefused(
            f"{store.database.database} is no AgentTower database ({error}); "
            "move it away, or restore a backup"
        ) from error


def _migrate(store: Store) -> list[str]:
    runner = _runner(store)
    unknown = [row.name for row in runner.status() if row.path is None]
    if unknown:
        raise newer_database(store.database.database, unknown)
    if all(row.applied for row in runner.status()):
        return []
    # One transaction over all: two processes starting at once do not both apply the first.
    with store.transaction():
        applied: list[str] = runner.up()
    return applied


def _runner(store: Store) -> Runner:
    return Runner(store.database, directory=str(DIRECTORY), table_name="schema_migration")
