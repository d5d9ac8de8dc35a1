"""Migrations and models agree, and a database of a newer program is refused."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from peewee import SqliteDatabase

from agenttower.errors import StateRefused
from agenttower.store import models
from agenttower.store.database import Store, open_sqlite
from agenttower.store.migrate import DIRECTORY, migrate, schema_version


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_sqlite(tmp_path / "state.sqlite3")
    yield store
    store.close_thread()


def schema(database: SqliteDatabase) -> set[str]:
    rows = database.execute_sql(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
        " AND tbl_name <> 'schema_migration'"
    ).fetchall()
    return {row[0] for row in rows}


def test_migrated_schema_is_what_the_models_say(store: Store, tmp_path: Path) -> None:
    migrate(store)
    migrated = schema(store.database)
    store.close_thread()
    by_models = SqliteDatabase(str(tmp_path / "models.sqlite3"))
    models.database.initialize(by_models)
    by_models.create_tables(models.TABLES, safe=False)
    expected = schema(by_models)
    by_models.close()
    assert migrated == expected


def test_migrating_twice_changes_nothing(store: Store) -> None:
    assert migrate(store) == ["0001_initial"]
    assert migrate(store) == []
    assert schema_version(store) == 1


def test_migration_files_are_numbered_without_gaps() -> None:
    numbers = sorted(int(path.name.split("_")[0]) for path in DIRECTORY.glob("[0-9]*.py"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_newer_database_is_refused_by_name(store: Store) -> None:
    migrate(store)
    store.execute(
        "INSERT INTO schema_migration (name, applied) VALUES ('0999_future', '2030-01-01')"
    )
    with pytest.raises(StateRefused, match=r"newer AgentTower.*0999_future.*upgrade"):
        migrate(store)


def test_database_files_are_private(store: Store, tmp_path: Path) -> None:
    migrate(store)
    store.execute("INSERT INTO relay_position VALUES (1, 0, 0)")
    for path in tmp_path.glob("state.sqlite3*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
