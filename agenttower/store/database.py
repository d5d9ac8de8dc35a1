"""The one database: how it is opened, and what a transaction is.

WAL, a busy timeout, and ``BEGIN IMMEDIATE`` for every transaction: a deferred read-then-write fails
at once under load (design.md section 2, point 4).
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from peewee import Database, OperationalError, SqliteDatabase

from agenttower.errors import AgentTowerError
from agenttower.private import open_private_file
from agenttower.store import models
from agenttower.store.models.base import execute

log = logging.getLogger(__name__)

BUSY_TIMEOUT_S = 5


WRITE_TRIES = 6
"""How often a write is tried that must not be given up easily."""
FULL_PAUSE_S = 2.0
"""Between such tries where the disk is full; a locked database makes its own pauses."""

T = TypeVar("T")


class DatabaseBusy(AgentTowerError):
    """Another connection held the write lock past the busy timeout. Transient (FR-013)."""

    error_class = "database_locked"

    def __init__(self) -> None:
        super().__init__(
            "the database is locked by another process; see who has it open "
            "(a backup? an sqlite3 shell?), then try again"
        )


class DatabaseFull(DatabaseBusy):
    """There is no room for a write, or the disk refuses it."""

    def __init__(self, path: str) -> None:
        AgentTowerError.__init__(
            self, f"the disk of {path} is full or refuses to be written; free space, then try again"
        )


class Transaction:
    """What a running transaction wants done once it has committed, each thing once."""

    def __init__(self) -> None:
        self._afterwards: dict[object, Callable[[], None]] = {}

    def afterwards(self, key: object, action: Callable[[], None]) -> None:
        """Run ``action`` after the commit, and not at all after a rollback."""
        self._afterwards[key] = action

    def committed(self) -> None:
        """Run what was asked for."""
        for action in self._afterwards.values():
            action()


class Store:
    """The open database. Connections belong to threads; see :meth:`close_thread`."""

    def __init__(self, database: Database) -> None:
        self.database = database
        # Our own threads take turns here: in SQLite's busy handler they would sleep.
        self._writing = threading.RLock()
        models.database.initialize(database)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """One write transaction; what it deferred runs after the commit.

        :raises DatabaseBusy: the write lock was not to be had in time.
        """
        transaction = Transaction()
        try:
            with self._writing, self.database.atomic():
                yield transaction
        except OperationalError as error:
            raise self._in_our_words(error) from error
        transaction.committed()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of the caller's transaction that an exception takes back alone."""
        with self.database.savepoint():
            yield

    def write_patiently(self, write: Callable[[Transaction], T]) -> T:
        """Write in one transaction, however long others hold the lock, within reason.

        For what stands already and must be written down: a settled step, a heartbeat.

        :raises DatabaseBusy: it could not be had in half a minute.
        """
        for tries_left in reversed(range(WRITE_TRIES)):
            try:
                with self.transaction() as transaction:
                    return write(transaction)
            except DatabaseBusy as error:
                if not tries_left:
                    raise
                log.warning("waiting: %s", error.message, extra={"action": "database_waits"})
                if isinstance(error, DatabaseFull):
                    threading.Event().wait(FULL_PAUSE_S)
        raise AssertionError("unreachable")

    def _in_our_words(self, error: OperationalError) -> Exception:
        """SQLite rolls some failures back by itself, and Peewee's own rollback then hides them."""
        first: BaseException = error
        while "cannot rollback" in str(first) and first.__context__ is not None:
            first = first.__context__
        said = str(first)
        if "locked" in said or "busy" in said:
            return DatabaseBusy()
        if "full" in said or "disk I/O" in said or "readonly" in said:
            return DatabaseFull(str(self.database.database))
        return error

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Several reads that see one state of the database, without taking the write lock."""
        with self.database.atomic("DEFERRED"):
            yield

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        """Run one statement of the hot path; ``?`` marks a parameter in every dialect."""
        return execute(sql, parameters)

    def close_thread(self) -> None:
        """Close the calling thread's connection. Every thread that read or wrote ends with it."""
        self.database.close()


def open_sqlite(path: Path) -> Store:
    """Open (and make, with mode 0600) the SQLite database at ``path``; does not migrate it.

    :raises StateRefused: the file is not a private file of ours.
    """
    os.close(open_private_file(path))
    return Store(
        SqliteDatabase(
            str(path),
            pragmas={
                "journal_mode": "wal",
                "foreign_keys": 1,
                # Survives kill -9; a power cut ends every pane anyway (docs/decisions).
                "synchronous": "normal",
                "busy_timeout": BUSY_TIMEOUT_S * 1000,
                # KiB for each thread's connection. Pages that are not here are in the kernel's
                # cache; with SQLite's 2 MiB a front end grew by 30 MiB in a minute of load.
                "cache_size": -512,
            },
            timeout=BUSY_TIMEOUT_S,
            lock_type="IMMEDIATE",
        )
    )
