"""The SQL scripts of migrations: one statement a paragraph, with placeholders for types."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from peewee import Database, PostgresqlDatabase

TYPES = {
    "sqlite": {"{AUTO}": "INTEGER", "{BLOB}": "BLOB", "{BOOL}": "INTEGER", "{BIG}": "INTEGER"},
    "postgres": {"{AUTO}": "SERIAL", "{BLOB}": "BYTEA", "{BOOL}": "BOOLEAN", "{BIG}": "BIGINT"},
}


def run_script(database: Database, path: Path) -> None:
    """Run every statement of a script, with the types of this database."""
    types = TYPES["postgres" if isinstance(database, PostgresqlDatabase) else "sqlite"]
    execute: Callable[[str], object] = database.execute_sql
    script = path.read_text(encoding="utf-8")
    for placeholder, type_name in types.items():
        script = script.replace(placeholder, type_name)
    for statement in script.split(";\n"):
        if statement.strip():
            execute(statement)
