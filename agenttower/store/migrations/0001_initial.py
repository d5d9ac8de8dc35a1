"""The first schema. Frozen: the statements stand in ``0001_initial.sql``, types by dialect."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from peewee import Database, PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

TYPES = {
    "sqlite": {"{AUTO}": "INTEGER", "{BLOB}": "BLOB", "{BOOL}": "INTEGER", "{BIG}": "INTEGER"},
    "postgres": {"{AUTO}": "SERIAL", "{BLOB}": "BYTEA", "{BOOL}": "BOOLEAN", "{BIG}": "BIGINT"},
}


def up(migrator: SchemaMigrator, db: Database) -> None:
    types = TYPES["postgres" if isinstance(db, PostgresqlDatabase) else "sqlite"]
    execute: Callable[[str], object] = db.execute_sql
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    for placeholder, type_name in types.items():
        script = script.replace(placeholder, type_name)
    for statement in script.split(";\n"):
        if statement.strip():
            execute(statement)
