"""Reading the database file as it is at one moment, without being able to change it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from agenttower.errors import StateRefused
from agenttower.store.database import BUSY_TIMEOUT_S, DatabaseBusy
from agenttower.store.migrate import known_migrations, newer_database


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """One snapshot of the database, through a connection that may not write.

    SQLite forgets CHECK constraints on a connection that *cannot* write, and the last one that can
    moves the log into the file when it closes. So a second one, which cannot, outlives it.
    """
    with closing(_connect(path, "ro")) as guard, closing(_connect(path, "rw")) as db:
        guard.execute("SELECT 1 FROM sqlite_master").fetchone()
        db.execute("PRAGMA query_only = ON")
        db.execute("BEGIN")
        db.execute("SELECT 1 FROM sqlite_master").fetchone()  # from here on the snapshot stands
        yield db
        db.execute("ROLLBACK")


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)


def file_size(path: Path) -> int:
    """Bytes. :raises StateRefused: there is no such file to be read."""
    try:
        return path.stat().st_size
    except OSError as error:
        raise StateRefused(
            f"{path} cannot be read: {error.strerror}; is it the right place? "
            "The database is made when front end or worker start for the first time"
        ) from error


def applied_migrations(db: sqlite3.Connection, path: Path) -> list[str]:
    """Their names, in order; none where the database is empty.

    :param path: of the database, to be named in errors.
    :raises StateRefused: this program does not know one of them.
    """
    there = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_migration'").fetchone()
    if there is None:
        return []
    applied = [row[0] for row in db.execute("SELECT name FROM schema_migration ORDER BY name")]
    unknown = sorted(set(applied) - set(known_migrations()))
    if unknown:
        raise newer_database(path, unknown)
    return applied


def raise_if_locked(path: Path, error: sqlite3.DatabaseError) -> None:
    """:raises DatabaseBusy: that is what the error says."""
    if "locked" in str(error) or "busy" in str(error):
        raise DatabaseBusy from error
