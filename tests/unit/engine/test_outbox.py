"""The relay writes every event once and in order, whatever happened to it before."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agenttower.engine.outbox import Relay
from agenttower.errors import StateRefused
from agenttower.store import containers
from agenttower.store.database import Store, open_sqlite
from agenttower.store.migrate import migrate
from agenttower.store.models import RelayPosition


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_sqlite(tmp_path / "state.sqlite3")
    migrate(store)
    yield store
    store.close_thread()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def write(store: Store, *names: str) -> None:
    with store.transaction():
        for name in names:
            containers.append_audit(name, {"text": "ä\n#"}, 1)


def relayed(path: Path) -> list[str]:
    return [json.loads(line)["type"] for line in path.read_text().splitlines()]


def run(store: Store, path: Path) -> int:
    relay = Relay(store, path)
    try:
        return relay.run_once()
    finally:
        relay.close()


def test_events_are_appended_in_order_and_once(store: Store, path: Path) -> None:
    write(store, "a", "b")
    assert run(store, path) == 2
    write(store, "c")
    assert run(store, path) == 1
    assert run(store, path) == 0
    assert relayed(path) == ["a", "b", "c"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_many_more_than_one_batch(store: Store, path: Path) -> None:
    names = [f"n{number}" for number in range(1203)]
    write(store, *names)
    assert run(store, path) == 1203
    assert relayed(path) == names


def test_killed_between_append_and_remembering(store: Store, path: Path) -> None:
    write(store, "a", "b")
    run(store, path)
    RelayPosition.update(last_event_id=0, file_offset=0).execute()
    write(store, "c")
    assert run(store, path) == 1
    assert relayed(path) == ["a", "b", "c"]


def test_killed_in_the_middle_of_a_line(store: Store, path: Path) -> None:
    write(store, "a", "b")
    run(store, path)
    first = path.read_text().splitlines(keepends=True)[0]
    path.write_text(first + '{"ts":"2026', encoding="utf-8")
    RelayPosition.update(last_event_id=0, file_offset=0).execute()
    assert run(store, path) == 1
    assert relayed(path) == ["a", "b"]


def test_a_rotated_file_gets_only_what_is_new(store: Store, path: Path) -> None:
    write(store, "a")
    run(store, path)
    path.rename(path.with_suffix(".1"))
    write(store, "b")
    run(store, path)
    assert relayed(path) == ["b"]


def test_a_file_emptied_under_a_running_relay(store: Store, path: Path) -> None:
    write(store, "a")
    relay = Relay(store, path)
    relay.run_once()
    os.truncate(path, 0)
    write(store, "b")
    relay.run_once()
    relay.close()
    assert relayed(path) == ["b"]
    assert b"\0" not in path.read_bytes()


def test_two_relays_exclude_each_other(store: Store, path: Path) -> None:
    relay = Relay(store, path)
    with pytest.raises(StateRefused, match="another worker"):
        Relay(store, path)
    relay.close()


def test_a_file_others_can_read_is_refused(store: Store, path: Path) -> None:
    path.write_text("")
    path.chmod(0o644)
    with pytest.raises(StateRefused, match="chmod 0600"):
        Relay(store, path)


def test_a_symlink_is_refused(store: Store, path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateRefused):
        Relay(store, path)
