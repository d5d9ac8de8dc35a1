"""A copy of the database while it is in use, and bringing the schema up to date behind one."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from agenttower import instance_lock
from agenttower.errors import StateRefused
from agenttower.paths import Paths
from agenttower.private import FILE_MODE, private_directory
from agenttower.store.database import open_sqlite
from agenttower.store.migrate import known_migrations, migrate
from agenttower.store.snapshot import applied_migrations, file_size, raise_if_locked, reading
from agenttower.store.upkeep import integrity


@dataclass(frozen=True, slots=True)
class Copy:
    """A backup that was made and verified."""

    path: Path
    size_bytes: int
    schema: str
    last_event_id: int


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What :func:`upgrade` did."""

    path: Path
    before: str
    after: str
    applied: tuple[str, ...]
    backup: Path | None


def backup(source: Path, target: Path) -> Copy:
    """Write one consistent, self-contained copy, mode 0600, and verify it.

    It gets its name only when it is complete, and takes nobody's place.

    :raises StateRefused: the target exists or cannot be written, or the copy is not sound, which
        means that the source is not.
    :raises DatabaseBusy: the source was locked all the time.
    """
    file_size(source)  # refuses what is not there
    if target.exists() or target.is_symlink():
        raise StateRefused(f"{target} exists already; choose another name, or move it away")
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with _tidy(partial):
            os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE))
            os.chmod(partial, FILE_MODE)
            _copy(source, partial)
            copy = _verified(partial, target)
            _give_name(partial, target)
            return copy
    except FileExistsError as error:
        raise StateRefused(
            f"{target} exists already; choose another name, or move it away"
        ) from error
    except OSError as error:
        raise StateRefused(
            f"the backup {target} cannot be written: {error.strerror}; choose another place"
        ) from error


def _copy(source: Path, partial: Path) -> None:
    try:
        with reading(source) as db, closing(sqlite3.connect(partial)) as copy:
            db.backup(copy)
            # One file: the copy of a WAL database would want two more beside it.
            copy.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.DatabaseError as error:
        raise_if_locked(source, error)
        raise StateRefused(
            f"{source} cannot be copied to {partial.parent}: {error}; "
            "is there room? 'agenttower db check' looks at the source"
        ) from error


def _verified(partial: Path, target: Path) -> Copy:
    schema, last = "", 0
    try:
        with reading(partial) as db:
            broken = next((finding.found for finding in integrity(db)), None)
            if broken is None and (applied := applied_migrations(db, target)):
                schema = applied[-1]
                last = db.execute("SELECT COALESCE(MAX(id), 0) FROM event").fetchone()[0]
    except sqlite3.DatabaseError as error:
        broken = str(error)
    if broken is not None:
        raise StateRefused(
            f"no backup was made, because the copy is not sound ({broken}), and so the database "
            "is not; run 'agenttower db check'"
        )
    return Copy(target, partial.stat().st_size, schema, last)


def _give_name(partial: Path, target: Path) -> None:
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    os.link(partial, target)  # unlike a rename it replaces nothing
    directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextmanager
def _tidy(partial: Path) -> Iterator[None]:
    try:
        yield
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.unlink(f"{partial}{suffix}")


def upgrade(paths: Paths, backup_name: str) -> Upgrade:
    """Apply what migrations are missing, with nobody else at the database, after a backup.

    :param backup_name: the file in the backup directory for what was there before.
    :raises StateRefused: the database is of a newer program, or cannot be used or copied.
    :raises AlreadyRunning: a front end or worker uses it, and a migration is due.
    """
    private_directory(paths.state_dir)
    before = _applied_in(paths.database)
    if all(name in before for name in known_migrations()):
        schema = max(before)
        return Upgrade(paths.database, schema, schema, (), None)
    with ExitStack() as stack:
        stack.enter_context(instance_lock.holding(paths.lock_file, "front end"))
        stack.enter_context(instance_lock.holding(paths.worker_lock_file, "worker"))
        saved = None
        if before:
            private_directory(paths.backups_dir)
            saved = backup(paths.database, paths.backups_dir / backup_name).path
        store = open_sqlite(paths.database)
        stack.callback(store.close_thread)
        applied = tuple(migrate(store))
    after = max([*before, *applied])
    return Upgrade(paths.database, max(before, default=""), after, applied, saved)


def _applied_in(path: Path) -> list[str]:
    """The migrations that the file has; none where there is no file."""
    if not path.exists():
        return []
    try:
        with reading(path) as db:
            return applied_migrations(db, path)
    except sqlite3.DatabaseError as error:
        raise_if_locked(path, error)
        raise StateRefused(
            f"{path} is no AgentTower database ({error}); move it away, or restore a backup"
        ) from error
