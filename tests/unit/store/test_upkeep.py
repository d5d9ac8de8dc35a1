"""``db check`` finds what is wrong and changes nothing; ``backup`` and ``migrate`` lose nothing."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agenttower import instance_lock
from agenttower.errors import AlreadyRunning, StateRefused
from agenttower.paths import Paths
from agenttower.private import private_directory
from agenttower.store import migrate as migrations
from agenttower.store.backup import backup, upgrade
from agenttower.store.database import DatabaseBusy, open_sqlite
from agenttower.store.invariants import CHECKS
from agenttower.store.migrate import migrate
from agenttower.store.upkeep import SHOWN, check

ALL = tuple(migrations.known_migrations())
NEWEST = ALL[-1]
MORE = f"{len(ALL) + 1:04d}_more"

BODY = {
    "container": {
        "id": "C" * 64,
        "name": "bench-1",
        "provider": "docker",
        "image": "i",
        "status": "running",
        "started_at": "",
        "labels": "{}",
        "mounts": "[]",
        "env_names": "[]",
        "has_init": 1,
        "active": 1,
        "first_seen_at": 1,
        "last_scanned_at": 1,
    },
    "managed_layout": {
        "layout_id": "L",
        "container_id": "C" * 64,
        "template_name": "t",
        "template_layout": "tiled",
        "tmux_session_name": "s",
        "tmux_session_target": "s",
        "label_prefix": "",
        "state": "ready",
        "intended_pane_count": 2,
        "last_sequence": 3,
        "revision": 1,
        "created_at": 1,
        "updated_at": 1,
    },
    "managed_pane": {
        "layout_id": "L",
        "container_id": "C" * 64,
        "role": "slave",
        "capability": "worker",
        "state": "ready",
        "launch": "{}",
        "tmux_session_name": "s",
        "chain_depth": 0,
        "log_attached": 1,
        "created_at": 1,
        "updated_at": 1,
    },
    "agent": {
        "container_id": "C" * 64,
        "tmux_socket_path": "/s",
        "tmux_session_name": "s",
        "tmux_window_index": 0,
        "role": "slave",
        "capability": "worker",
        "label": "",
        "project_path": "",
        "origin": "managed",
        "created_at": 1,
        "last_registered_at": 1,
        "active": 1,
    },
    "operation": {
        "kind": "create",
        "lane": "C" * 64,
        "in_line": 1,
        "subject_id": "L",
        "state": "succeeded",
        "requested_by": "operator",
        "created_at": 1,
        "finished_at": 2,
    },
    "step": {
        "operation_id": 1,
        "stage": "log_attach",
        "lane": "C" * 64,
        "status": "done",
        "attempt": 1,
        "failures": 0,
        "not_before": 0,
        "fence": 1,
        "created_at": 1,
        "finished_at": 2,
        "history": "[]",
    },
    "event": {
        "kind": "managed",
        "event_type": "e",
        "actor": "daemon",
        "layout_id": "L",
        "payload": "{}",
        "created_at": 1,
    },
    "worker": {
        "worker_id": "W",
        "pid": 1,
        "process_start": 1,
        "boot_id": "b",
        "started_at": 1,
        "heartbeat_at": 1,
    },
}


def insert(db: sqlite3.Connection, table: str, **more: Any) -> None:
    row = BODY[table] | more
    marks = ", ".join("?" * len(row))
    db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))


def pane(db: sqlite3.Connection, name: str, slot: int, **more: Any) -> None:
    insert(
        db,
        "managed_pane",
        **{
            "pane_id": name,
            "slot": slot,
            "label": name,
            "reserved_agent_id": f"agt_{name}",
            "agent_id": f"agt_{name}",
            "tmux_server_id": "S",
            "tmux_pane_id": f"%{name}",
            "log_path": name,
            **more,
        },
    )


def agent(db: sqlite3.Connection, name: str, **more: Any) -> None:
    insert(
        db,
        "agent",
        **{
            "agent_id": f"agt_{name}",
            "tmux_pane_id": f"%{name}",
            "tmux_pane_index": 0,
            **more,
        },
    )


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "config", tmp_path / "state", tmp_path / "cache")


@pytest.fixture
def database(paths: Paths) -> Path:
    """A layout of two ready panes, one of them recreated, as a tower leaves it."""
    private_directory(paths.state_dir)
    store = open_sqlite(paths.database)
    migrate(store)
    store.close_thread()
    with closing(writing(paths.database)) as db:
        insert(db, "container")
        insert(db, "managed_layout")
        insert(db, "worker")
        insert(db, "operation")
        for slot, name in enumerate("PQ"):
            pane(db, name, slot)
            agent(db, name)
            insert(db, "step", subject_id=name)
        pane(db, "OLD", 1, state="removed", label="Q")
        agent(db, "OLD", active=0)
        db.execute(
            "UPDATE managed_pane SET predecessor_id = 'OLD', chain_depth = 1 WHERE pane_id = 'Q'"
        )
        for sequence in (1, 2, 3):
            insert(db, "event", sequence=sequence)
        db.execute("INSERT INTO relay_position VALUES (1, 3, 0)")
    return paths.database


def writing(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def test_a_sound_database_is_called_sound(database: Path) -> None:
    report = check(database)
    assert report.findings == ()
    assert report.sound
    assert report.schema == NEWEST
    assert set(report.checks) >= {"integrity", *(question.__name__ for question in CHECKS)}


HEALTHY_OPERATION = "INSERT INTO operation (kind, lane, in_line, subject_id, state, requested_by," \
    " created_at) VALUES ('create', 'lane', 1, 'X', '{}', 'o', 1)"  # fmt: skip


@pytest.mark.parametrize(
    ("harm", "name", "subject", "found"),
    [
        (
            "UPDATE managed_layout SET state = 'degraded'",
            "layout_state",
            "layout L",
            "stored as degraded, but its current panes make it ready",
        ),
        (
            "UPDATE managed_pane SET state = 'failed', failed_stage = 'pane_create'"
            " WHERE pane_id = 'P'; UPDATE agent SET active = 0; UPDATE managed_layout"
            " SET state = 'failed', failed_stage = 'log_attach'",
            "layout_state",
            "layout L",
            "failed at log_attach, but its current panes make it failed at pane_create",
        ),
        (
            "UPDATE managed_pane SET slot = 0 WHERE pane_id = 'OLD'",
            "pane_chain",
            "pane Q",
            "follows pane OLD, which has another layout, slot or depth",
        ),
        (
            "UPDATE managed_pane SET predecessor_id = 'nobody' WHERE pane_id = 'Q'",
            "pane_chain",
            "pane Q",
            "follows pane nobody, which is not there",
        ),
        (
            "UPDATE managed_layout SET intended_pane_count = 3",
            "pane_chain",
            "layout L",
            "meant to have 3 panes and has 2 in 2 slots",
        ),
        (
            "UPDATE managed_pane SET slot = 1 WHERE pane_id = 'P'",
            "pane_chain",
            "layout L",
            "has 2 living panes in slot 1",
        ),
        (
            "UPDATE managed_pane SET state = 'creating', pending_marker_token = 'm'"
            " WHERE pane_id = 'P'; UPDATE managed_layout SET state = 'creating'",
            "pane_creation",
            "pane P",
            "no unfinished operation creates it",
        ),
        ("UPDATE agent SET active = 1 WHERE agent_id = 'agt_OLD'", "pane_agent", "agent agt_OLD",
         "is active, but its pane OLD is removed"),
        ("DELETE FROM agent WHERE agent_id = 'agt_P'", "pane_agent", "pane P", "never registered"),
        (HEALTHY_OPERATION.format("running"), "operation_progress", "operation 2 (create)",
         "is running with 0 open steps"),
        ("UPDATE step SET status = 'pending', finished_at = NULL WHERE subject_id = 'P'",
         "operation_progress", "operation 1 (create)", "is succeeded with 1 open steps"),
        (HEALTHY_OPERATION.format("waiting"), "operation_line", "operation 2 (create)",
         "is waiting with 0 unfinished before it"),
        ("UPDATE step SET status = 'running', finished_at = NULL, lease_owner = 'ghost',"
         " lease_until = 9", "step_owner", "step 1 (log_attach)", "worker ghost, which no row"),
        ("DELETE FROM event WHERE sequence = 2", "event_sequence", "layout L",
         "has counted 3 events and has 2, numbered 1 to 3"),
        ("UPDATE event SET layout_id = 'gone', sequence = 1 WHERE sequence = 3", "event_sequence",
         "layout gone", "has 1 events and is not there itself"),
        ("UPDATE relay_position SET last_event_id = 9", "relay_position", "event 9",
         "counts as relayed, but the last event is 3"),
        ("INSERT INTO prompt_delay VALUES ('m', 5)", "prompt_delay", "prompt m",
         "and is not delayed"),
        ("UPDATE managed_pane SET launch = '{oops' WHERE pane_id = 'P'", "documents",
         "managed_pane P", "has no JSON in managed_pane.launch"),
        ("UPDATE managed_pane SET layout_id = 'nobody' WHERE pane_id = 'P'", "integrity",
         "managed_pane row 1", "refers to a row of managed_layout that is not there"),
        ("PRAGMA ignore_check_constraints = 1; UPDATE managed_pane SET state = 'sleeping'",
         "integrity", "the file", "CHECK constraint failed in managed_pane"),
    ],
)  # fmt: skip
def test_each_harm_is_found_and_explained(
    database: Path, harm: str, name: str, subject: str, found: str
) -> None:
    with closing(writing(database)) as db:
        db.executescript(harm)
    report = check(database)
    assert not report.sound
    matching = [f for f in report.findings if (f.check, f.subject) == (name, subject)]
    assert any(found in finding.found for finding in matching), report.findings
    assert all(finding.advice for finding in report.findings)


def test_what_a_crash_leaves_is_told_and_is_no_damage(database: Path) -> None:
    with closing(writing(database)) as db:
        db.execute("UPDATE worker SET stopped_at = 2")
        db.execute("UPDATE operation SET state = 'running', finished_at = NULL")
        db.execute(
            "UPDATE step SET status = 'running', finished_at = NULL, lease_owner = 'W',"
            " lease_until = 9 WHERE subject_id = 'P'"
        )
    report = check(database)
    [finding] = report.findings
    assert finding.heals
    assert "start a worker" in finding.advice
    assert report.sound


def test_many_findings_of_one_kind_are_counted(database: Path) -> None:
    with closing(writing(database)) as db:
        db.execute("BEGIN")
        for _ in range(SHOWN + 5):
            db.execute(HEALTHY_OPERATION.format("running"))
        db.execute("COMMIT")
    kind = [f for f in check(database).findings if f.check == "operation_progress"]
    assert len(kind) == SHOWN + 1
    assert kind[-1].found == "5 more of this kind"


def test_an_events_file_that_knows_more_than_the_database(database: Path, paths: Paths) -> None:
    lines = [json.dumps({"event_id": number}) for number in (1, 2, 3)]
    paths.events_file.write_text("\n".join(lines) + "\n")
    assert check(database, paths.events_file).sound
    with paths.events_file.open("a") as file:
        file.write(json.dumps({"event_id": 7}) + "\nnot ours\n")
    [finding] = check(database, paths.events_file).findings
    assert finding.check == "events_file"
    assert "event 7" in finding.found
    assert "move this file away" in finding.advice


def test_a_missing_events_file_is_none(database: Path, paths: Paths) -> None:
    assert check(database, paths.events_file).sound


def test_check_changes_no_byte(database: Path) -> None:
    before = {path.name: path.read_bytes() for path in database.parent.iterdir()}
    check(database)
    after = {path.name: path.read_bytes() for path in database.parent.iterdir()}
    assert {name: after[name] for name in before} == before
    assert after.get(f"{database.name}-wal", b"") == b""


def test_check_leaves_the_log_of_a_killed_daemon_to_its_successor(database: Path) -> None:
    """Moving it into the file would be a change, and a damaged file must not be written to."""
    script = (
        "import os, signal, sqlite3, sys\n"
        "db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "db.execute('UPDATE managed_layout SET revision = 7')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, database], check=False, timeout=30)
    log = Path(f"{database}-wal")
    before = database.read_bytes(), log.read_bytes()
    assert before[1]
    assert check(database).sound
    assert (database.read_bytes(), log.read_bytes()) == before


def test_what_was_committed_and_not_yet_checkpointed_is_seen(database: Path) -> None:
    """As after a kill -9: the newest commits are in the WAL only."""
    with closing(writing(database)) as holder:
        holder.execute("PRAGMA wal_autocheckpoint = 0")
        holder.execute("DELETE FROM event WHERE sequence = 2")
        assert not check(database).sound
        with closing(writing(database)) as writer:
            writer.execute("BEGIN IMMEDIATE")  # and another one in the middle of writing
            writer.execute("DELETE FROM event")
            assert [f.found for f in check(database).findings] == [
                "has counted 3 events and has 2, numbered 1 to 3"
            ]


@pytest.mark.parametrize("offset", [0, 4096 + 8, 3 * 4096])
def test_a_damaged_file_is_found_whatever_is_hit(database: Path, offset: int) -> None:
    with closing(writing(database)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with database.open("r+b") as file:
        file.seek(offset)
        file.write(os.urandom(2048))
    report = check(database)
    assert not report.sound
    assert {finding.check for finding in report.findings} == {"integrity"}
    assert "restore a backup" in report.findings[0].advice


def test_a_truncated_file_is_found(database: Path) -> None:
    with closing(writing(database)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with database.open("r+b") as file:
        file.truncate(database.stat().st_size // 2)
    assert not check(database).sound


def test_a_wide_mode_is_told_with_the_command_that_mends_it(database: Path) -> None:
    database.chmod(0o644)
    [finding] = check(database).findings
    assert finding.check == "file_mode"
    assert f"chmod 0600 {database}" in finding.advice


def test_missing_newer_and_empty_databases(database: Path, tmp_path: Path) -> None:
    with pytest.raises(StateRefused, match="cannot be read: No such file"):
        check(tmp_path / "nowhere")
    os.close(os.open(tmp_path / "empty", os.O_CREAT | os.O_WRONLY, 0o600))
    [finding] = check(tmp_path / "empty").findings
    assert finding.found == f"lacks {', '.join(ALL)}"
    assert "agenttower db migrate" in finding.advice
    with closing(writing(database)) as db:
        db.execute("INSERT INTO schema_migration (name, applied) VALUES ('0999_future', 'x')")
    store = open_sqlite(database)
    with pytest.raises(StateRefused) as by_serve:
        migrate(store)
    store.close_thread()
    with pytest.raises(StateRefused) as by_check:
        check(database)
    assert by_check.value.message == by_serve.value.message


# --- backup --------------------------------------------------------------------------------------


def test_a_backup_is_one_private_sound_file(database: Path, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        copy = backup(database, tmp_path / "copy")
    finally:
        os.umask(before)
    assert copy.last_event_id == 3
    assert copy.size_bytes == (tmp_path / "copy").stat().st_size
    assert stat.S_IMODE(copy.path.stat().st_mode) == 0o600
    assert copy.path.stat().st_nlink == 1
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["copy"]
    assert check(copy.path).findings == ()


def test_a_backup_sees_a_commit_that_is_only_in_the_wal(database: Path, tmp_path: Path) -> None:
    with closing(writing(database)) as holder:
        holder.execute("PRAGMA wal_autocheckpoint = 0")
        insert(holder, "event", sequence=4)
        holder.execute("UPDATE managed_layout SET last_sequence = 4")
        with closing(writing(database)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("DELETE FROM event")
            assert backup(database, tmp_path / "copy").last_event_id == 4
    assert check(tmp_path / "copy").sound


@pytest.mark.parametrize("kind", ["file", "link", "dangling", "directory"])
def test_nothing_is_overwritten(database: Path, tmp_path: Path, kind: str) -> None:
    target, other = tmp_path / "target", tmp_path / "other"
    if kind == "directory":
        target.mkdir()
    elif kind == "file":
        target.write_text("mine")
    else:
        target.symlink_to(other)
        if kind == "link":
            other.write_text("mine")
    with pytest.raises(StateRefused, match=r"exists already; choose another name"):
        backup(database, target)
    assert not other.exists() or other.read_text() == "mine"
    assert kind != "file" or target.read_text() == "mine"


def test_a_backup_that_cannot_be_written_leaves_nothing(database: Path, tmp_path: Path) -> None:
    with pytest.raises(StateRefused, match=r"cannot be written: No such file.*another place"):
        backup(database, tmp_path / "no" / "copy")
    with pytest.raises(StateRefused, match="cannot be read"):
        backup(tmp_path / "nowhere", tmp_path / "copy")
    assert list(tmp_path.rglob("*copy*")) == []


def test_no_backup_is_made_of_a_damaged_database(database: Path, tmp_path: Path) -> None:
    with closing(writing(database)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with database.open("r+b") as file:
        file.seek(2 * 4096)
        file.write(os.urandom(8 * 4096))
    with pytest.raises(StateRefused, match="agenttower db check"):
        backup(database, tmp_path / "copy")
    assert [path for path in tmp_path.iterdir() if "copy" in path.name] == []


def test_an_exclusively_locked_database_is_told_apart(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agenttower.store.snapshot.BUSY_TIMEOUT_S", 0)
    with closing(writing(database)) as holder:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("PRAGMA journal_mode = DELETE")
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DatabaseBusy, match="try again"):
            check(database)
        with pytest.raises(DatabaseBusy, match="try again"):
            backup(database, tmp_path / "copy")
        holder.execute("ROLLBACK")


# --- migrate -------------------------------------------------------------------------------------


@pytest.fixture
def next_program(database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that has one migration more than the one that made the database."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    for path in migrations.DIRECTORY.glob("0*"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / f"{MORE}.py").write_text(
        "def up(migrator, db):\n    db.execute_sql('CREATE TABLE more (id INTEGER)')\n"
    )
    monkeypatch.setattr(migrations, "DIRECTORY", folder)


def tables(path: Path) -> set[str]:
    with closing(writing(path)) as db:
        return {row[0] for row in db.execute("SELECT name FROM sqlite_master")}


@pytest.mark.usefixtures("next_program")
def test_migrating_backs_up_and_says_what_it_did(database: Path, paths: Paths) -> None:
    assert [f.found for f in check(database).findings] == [f"lacks {MORE}"]
    done = upgrade(paths, "before.sqlite3")
    assert (done.before, done.after, done.applied) == (NEWEST, MORE, (MORE,))
    assert done.backup == paths.backups_dir / "before.sqlite3"
    assert "more" in tables(database)
    assert "more" not in tables(done.backup)
    assert check(database).sound
    again = upgrade(paths, "again.sqlite3")
    assert (again.applied, again.backup) == ((), None)


@pytest.mark.usefixtures("next_program")
@pytest.mark.parametrize("who", ["front end", "worker"])
def test_nobody_may_use_a_database_that_is_migrated(database: Path, paths: Paths, who: str) -> None:
    lock = paths.lock_file if who == "front end" else paths.worker_lock_file
    with (
        instance_lock.holding(lock, who),
        pytest.raises(AlreadyRunning, match=f"another AgentTower {who}"),
    ):
        upgrade(paths, "before.sqlite3")
    assert "more" not in tables(database)
    assert not paths.backups_dir.exists()


def test_migrate_where_nothing_is_due_disturbs_nobody(database: Path, paths: Paths) -> None:
    with instance_lock.holding(paths.lock_file, "front end"):
        assert upgrade(paths, "x").applied == ()


def test_migrate_makes_a_database_where_there_is_none(paths: Paths) -> None:
    done = upgrade(paths, "x")
    assert (done.before, done.applied, done.backup) == ("", ALL, None)
    assert check(paths.database).sound


def test_migrate_refuses_what_it_does_not_know(database: Path, paths: Paths) -> None:
    with closing(writing(database)) as db:
        db.execute("INSERT INTO schema_migration (name, applied) VALUES ('0999_future', 'x')")
    with pytest.raises(StateRefused, match=r"newer AgentTower.*0999_future.*upgrade"):
        upgrade(paths, "x")
    database.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(StateRefused, match="no AgentTower database"):
        upgrade(paths, "x")
