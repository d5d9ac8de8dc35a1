"""The relay writes every event once and in order, whatever happened to it before."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agenttower.domain.agent_events import AgentEvent
from agenttower.engine.outbox import Relay
from agenttower.errors import StateRefused
from agenttower.store import agent_events, containers
from agenttower.store.agent_events import Source, event_object
from agenttower.store.database import Store, open_sqlite
from agenttower.store.migrate import migrate
from agenttower.store.models import Event, RelayPosition


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


def test_lines_of_every_kind_have_their_own_form_and_are_found_again(
    store: Store, path: Path
) -> None:
    source = Source("atc_0123456789ab", "agt_0123456789ab", "c" * 64, "/logs/a.log")
    error = AgentEvent("error", "error.line.v1", "Error: ä", 0, 9, 0, 1, 1_000_000)
    flat = {"event_type": "route_matched", "event_id": 1, "route_id": "r"}
    with store.transaction():
        agent_events.insert(source, [error])
        for kind in ("route", "queue"):
            Event.insert(
                kind=kind,
                event_type="route_matched",
                actor="daemon",
                payload=json.dumps(flat),
                created_at=1,
            ).execute()
    run(store, path)
    RelayPosition.update(last_event_id=0, file_offset=0).execute()  # killed before it was stored
    write(store, "a")
    assert run(store, path) == 1
    agent, route, queue, audit = (json.loads(line) for line in path.read_text().splitlines())
    assert list(agent)[:3] == ["ts", "event_id", "event_type"]
    assert agent.keys() - {"ts"} == event_object(Event.get_by_id(1)).keys()
    assert "ä" in path.read_text()
    for line, row in ((route, 2), (queue, 3)):
        assert list(line) == ["ts", "event_type", "event_id", "route_id", "row"]
        assert (line["event_id"], line["row"]) == (1, row)
    assert (audit["type"], audit["event_id"]) == ("a", 4)


@pytest.mark.parametrize("line", ["7", "{}", "[]", '{"event_id":"1"}', "[" * 100_000, "x"])
def test_a_foreign_line_is_passed_over(store: Store, path: Path, line: str) -> None:
    path.write_text(f"{line}\n")
    path.chmod(0o600)
    write(store, "a")
    assert run(store, path) == 1


def test_a_symlink_is_refused(store: Store, path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateRefused):
        Relay(store, path)
