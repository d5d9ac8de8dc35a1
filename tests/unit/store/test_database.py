"""What the database says when it cannot write, in our words, and how long we wait."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agenttower.store import database
from agenttower.store.containers import append_audit
from agenttower.store.database import DatabaseBusy, DatabaseFull, Store, open_sqlite
from agenttower.store.migrate import migrate
from agenttower.store.models import Event


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_sqlite(tmp_path / "state.sqlite3")
    migrate(store)
    yield store
    store.close_thread()


def fill(store: Store) -> None:
    with store.transaction():
        for _ in range(2000):
            append_audit("filler", {"text": "x" * 1000}, 1)


def test_a_full_disk_is_told_as_such(store: Store, tmp_path: Path) -> None:
    store.execute("PRAGMA max_page_count = 60")
    with pytest.raises(DatabaseFull, match=r"state\.sqlite3 is full.*free space"):
        fill(store)
    assert Event.select().count() == 0
    store.execute("PRAGMA max_page_count = 100000")
    fill(store)
    assert Event.select().count() == 2000


def test_a_patient_write_outlasts_a_full_disk(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "FULL_PAUSE_S", 0.0)
    store.execute("PRAGMA max_page_count = 60")
    tries = []

    def write(_: object) -> int:
        tries.append(1)
        if len(tries) == 3:
            raise AssertionError("space is free by now")
        append_audit("big", {"text": "x" * 1_000_000}, 1)
        return 1

    with pytest.raises(AssertionError, match="space is free"):
        store.write_patiently(write)
    assert len(tries) == 3


def test_a_locked_database_is_waited_for(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(tmp_path / "state.sqlite3", check_same_thread=False)
    with closing(other):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseBusy, match=r"locked by another process.*try again"):
            store.write_patiently(lambda _: None)
        timer = threading.Timer(0.12, other.rollback)
        timer.start()
        store.write_patiently(lambda _: append_audit("late", {}, 1))
        timer.join()
    assert Event.select().count() == 1
