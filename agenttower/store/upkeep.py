"""Is the database sound? SQLite's checks of the file, and ours of what must hold between rows."""

from __future__ import annotations

import json
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from agenttower.private import FILE_MODE
from agenttower.store.invariants import CHECKS, Finding
from agenttower.store.migrate import known_migrations
from agenttower.store.snapshot import applied_migrations, file_size, raise_if_locked, reading

SHOWN = 20
"""Findings of one check; what is behind them is one cause more often than many."""

_RESTORE = (
    "stop front end and worker, keep the damaged files, and restore a backup (docs/service.md)"
)


@dataclass(frozen=True, slots=True)
class Report:
    """What a check has found."""

    path: Path
    size_bytes: int
    schema: str
    """The newest migration that the database has; empty for none."""
    checks: tuple[str, ...]
    """What was looked at; less where the file itself is damaged."""
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """Nothing was found but what heals by itself."""
        return all(finding.heals for finding in self.findings)


def check(path: Path, events_file: Path | None = None) -> Report:
    """Read everything, change nothing: SQLite's own checks, then what must hold between rows.

    One snapshot is judged, so that a running worker does not disturb.

    :param events_file: ``events.jsonl``, to compare the relay's position with; ``None`` for copies.
    :raises StateRefused: there is no such file, or it is of a newer program.
    :raises DatabaseBusy: it was locked all the time.
    """
    # Before the snapshot: what is in the file by now must be in the snapshot too.
    relayed = file_size(events_file) if events_file and events_file.exists() else None
    size = file_size(path)
    findings = [*_mode(path)]
    names: tuple[str, ...] = ("file_mode", "integrity")
    schema = ""
    try:
        with reading(path) as db:
            findings += integrity(db)
            if not any(finding.check == "integrity" for finding in findings):
                schema, pending = _schema(db, path)
                names = (*names, "schema")
                findings += pending
                if not pending:
                    names = (*names, *(question.__name__ for question in CHECKS))
                    findings += _invariants(db)
                    if events_file is not None and relayed is not None:
                        names = (*names, "events_file")
                        findings += _events_file(db, events_file, relayed)
    except sqlite3.DatabaseError as error:
        findings.append(_damaged(path, error))
    return Report(path, size, schema, names, tuple(findings))


def _mode(path: Path) -> Iterator[Finding]:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode != FILE_MODE:
        yield Finding(
            "file_mode",
            str(path),
            f"has mode {mode:04o}, so that others may use it",
            f"look who has, then run: chmod {FILE_MODE:04o} {path}",
        )


def integrity(db: sqlite3.Connection) -> Iterator[Finding]:
    """SQLite's own checks of the file, its indexes, constraints and references."""
    for (line,) in db.execute(f"PRAGMA integrity_check({SHOWN})"):
        if line != "ok":
            yield Finding("integrity", "the file", f"SQLite says: {line}", _RESTORE)
    for table, row, parent, _ in islice(db.execute("PRAGMA foreign_key_check"), SHOWN):
        yield Finding(
            "integrity",
            f"{table} row {row}",
            f"refers to a row of {parent} that is not there",
            _RESTORE,
        )


def _schema(db: sqlite3.Connection, path: Path) -> tuple[str, list[Finding]]:
    applied = applied_migrations(db, path)
    pending = [name for name in known_migrations() if name not in applied]
    schema = max(applied, default="")
    if not pending:
        return schema, []
    advice = "run 'agenttower db migrate', or start the front end, which does the same"
    found = f"lacks {', '.join(pending)}"
    return schema, [Finding("schema", "the database", found, advice)]


def _invariants(db: sqlite3.Connection) -> Iterator[Finding]:
    for question in CHECKS:
        answers = question(db)
        yield from islice(answers, SHOWN)
        more = sum(1 for _ in answers)
        if more:
            yield Finding(question.__name__, "others", f"{more} more of this kind", "see above")


def _events_file(db: sqlite3.Connection, path: Path, size: int) -> Iterator[Finding]:
    """``events.jsonl`` must not tell of events that the rows do not know: the relay, which goes on
    behind the highest id that it finds there, would leave out what gets these ids next."""
    position = db.execute("SELECT file_offset FROM relay_position").fetchone()
    last = db.execute("SELECT COALESCE(MAX(id), 0) FROM event").fetchone()[0]
    offset = position[0] if position and position[0] <= size else 0
    highest = 0
    with path.open("rb") as file:
        file.seek(offset)
        for line in file.read(size - offset).splitlines():
            with suppress(ValueError, KeyError, TypeError):
                highest = max(highest, int(json.loads(line)["event_id"]))
    if highest > last:
        yield Finding(
            "events_file",
            str(path),
            f"tells of event {highest}, but the last one in the database is {last}",
            "an older backup was restored: stop the worker, move this file away, start it again",
        )


def _damaged(path: Path, error: sqlite3.DatabaseError) -> Finding:
    raise_if_locked(path, error)
    return Finding("integrity", str(path), f"SQLite cannot read it: {error}", _RESTORE)
