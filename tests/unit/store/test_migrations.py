"""Migrations and models agree, and a database of a newer program is refused."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from peewee import SqliteDatabase

from agenttower.errors import StateRefused
from agenttower.store import migrate as migrations
from agenttower.store import models
from agenttower.store.database import Store, open_sqlite
from agenttower.store.migrate import DIRECTORY, known_migrations, migrate, schema_version


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
    assert migrate(store) == known_migrations()
    assert migrate(store) == []
    assert schema_version(store) == len(known_migrations())


def test_rows_of_an_older_schema_are_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as older:
        older.setattr(migrations, "DIRECTORY", only_the_first(1, Path(store.database.database)))
        assert migrate(store) == ["0001_initial"]
    store.execute(
        "INSERT INTO agent VALUES ('agt_0123456789ab', 'c', '/s', 'one', 0, 0, '%0', 1, NULL,"
        " 'slave', 'codex', 's1', '', NULL, 'managed', 1, 1, NULL, 1)"
    )
    store.execute(
        "INSERT INTO log_attachment VALUES ('lat_0123456789ab', 'agt_0123456789ab', '/log',"
        " 'active', 'managed', 7, 8, NULL, NULL)"
    )
    store.execute(
        "INSERT INTO event VALUES (41, 'audit', 't', 'daemon', NULL, NULL, NULL, NULL, '{}', 9)"
    )
    assert migrate(store) == known_migrations()[1:]
    attached = store.execute("SELECT log_path, created_at, via FROM log_attachment").fetchall()
    assert attached == [("/log", 7, "pipe")]
    assert store.execute("SELECT id, kind, created_at FROM event").fetchall() == [(41, "audit", 9)]
    assert store.execute("SELECT agent_id, tmux_server FROM agent").fetchall() == [
        ("agt_0123456789ab", None)
    ]


def test_panes_keep_when_they_were_seen_and_managed_events_get_their_agent(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(migrations, "DIRECTORY", only_the_first(2, Path(store.database.database)))
        migrate(store)
    pane = "'c', '/s', 'one', 0, 0, '%0', '1 1', 'root', '', 1, '', 'sh', '/', '', 1, 1, 5, 6"
    store.execute(f"INSERT INTO pane VALUES ({pane})")
    store.execute(
        "INSERT INTO managed_layout (layout_id, container_id, template_name, template_layout,"
        " tmux_session_name, tmux_session_target, label_prefix, state, intended_pane_count,"
        " last_sequence, revision, created_at, updated_at)"
        " VALUES ('L', 'c', 't', 'tiled', 's', 's', '', 'ready', 1, 1, 1, 1, 1)"
    )
    store.execute(
        "INSERT INTO managed_pane (pane_id, layout_id, container_id, slot, role, capability, label,"
        " state, launch, tmux_session_name, chain_depth, reserved_agent_id, log_path, log_attached,"
        " created_at, updated_at)"
        " VALUES ('P', 'L', 'c', 0, 'slave', 'x', 's1', 'ready', '{}', 's', 0, 'agt_1', '/l', 0,"
        " 1, 1)"
    )
    for number, name in enumerate(("'P'", "NULL")):
        store.execute(
            "INSERT INTO event (kind, event_type, actor, container_id, layout_id, pane_id,"
            f" sequence, payload, created_at) VALUES ('managed', 't', 'daemon', 'c', 'L', {name},"
            f" {number}, '{{}}', 1)"
        )
    migrate(store)
    seen = store.execute("SELECT id, first_seen_at, last_scanned_at, last_seen_at FROM pane")
    assert seen.fetchall() == [(1, 5, 6, 6)]
    told = store.execute("SELECT pane_id, agent_id FROM event ORDER BY id").fetchall()
    assert told == [("P", "agt_1"), (None, None)]


def only_the_first(count: int, database: Path) -> Path:
    folder = database.parent / "older"
    folder.mkdir()
    for path in DIRECTORY.glob("[0-9]*"):
        if int(path.name.split("_")[0]) <= count:
            (folder / path.name).write_bytes(path.read_bytes())
    return folder


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
