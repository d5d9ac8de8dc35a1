"""What becomes of attachments and offsets (legacy surfaces part 1, section 9.4)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from peewee import IntegrityError

from agenttower.store import agent_logs, log_attaching
from agenttower.store.agent_logs import LogFile
from agenttower.store.database import Store, open_sqlite
from agenttower.store.log_attaching import Attached, NewAttachment
from agenttower.store.migrate import migrate
from agenttower.store.models import Agent, Event, LogOffset

AGENT, OTHER = "agt_000000000001", "agt_000000000002"
READ = LogFile("1:7", 100)


@pytest.fixture(autouse=True)
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_sqlite(tmp_path / "state.sqlite3")
    migrate(store)
    for number, agent_id in enumerate((AGENT, OTHER)):
        Agent.insert(
            agent_id=agent_id, container_id="c" * 64, tmux_socket_path="/s", tmux_session_name="s",
            tmux_window_index=0, tmux_pane_index=number, tmux_pane_id=f"%{number}", role="slave",
            capability="shell", label="", project_path="", origin="adopted", created_at=1,
            last_registered_at=1, active=True,
        ).execute()  # fmt: skip
    yield store
    store.close_thread()


def attach(path: str = "/a", now: int = 10, file: LogFile | None = None, **more: Any) -> Attached:
    wanted = {"agent_id": AGENT, "bench_path": path, "via": "pipe", "source": "explicit"} | more
    return log_attaching.attach(NewAttachment(log_path=path, file=file, **wanted), now)


def read(path: str = "/a", offset: int = 60, file: LogFile = READ) -> None:
    """What the reader writes."""
    LogOffset.update(
        byte_offset=offset, line_offset=6, last_event_offset=50, file_inode=file.inode,
        file_size_seen=file.size, open_window="{}",
    ).where(LogOffset.agent_id == AGENT, LogOffset.log_path == path).execute()  # fmt: skip


def audits() -> list[tuple[Any, ...]]:
    keys = ("prior_status", "new_status", "prior_path", "new_path", "socket_peer_uid")
    return [tuple(json.loads(row.payload)[key] for key in keys) for row in Event.select()]


def test_first_and_again() -> None:
    first = attach(peer_uid=7)
    assert (first.is_new, first.prior_status, first.rotated) == (True, None, False)
    assert first.offset.byte_offset == first.offset.file_size_seen == 0
    assert first.offset.file_inode is None
    read()
    again = attach(now=20)
    assert (again.is_new, again.prior_status) == (False, "active")
    assert again.attachment.attachment_id == first.attachment.attachment_id
    assert again.attachment.last_status_at == 10
    assert again.offset.byte_offset == 60
    assert audits() == [(None, "active", None, "/a", 7)]


def test_detached_keeps_its_place_whatever_the_file() -> None:
    attach()
    read()
    assert log_attaching.end(AGENT, "detached", 20) is not None
    assert log_attaching.end(AGENT, "detached", 30) is None
    back = attach(now=40, file=LogFile("1:8", 0))
    assert (back.prior_status, back.is_new, back.offset.byte_offset) == ("detached", False, 60)
    assert [line[:2] for line in audits()] == [
        (None, "active"), ("active", "detached"), ("detached", "active"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "kept"),
    [
        (READ, True), (LogFile("1:7", 101), True), (LogFile("1:7", 99), False),
        (LogFile("1:8", 500), False), (None, False),
    ],
)  # fmt: skip
def test_stale_keeps_its_place_if_the_file_is_the_same(file: LogFile | None, kept: bool) -> None:
    attach()
    read()
    log_attaching.end(AGENT, "stale", 20)
    back = attach(now=40, file=file)
    assert (back.prior_status, back.rotated) == ("stale", not kept)
    assert back.offset.byte_offset == (60 if kept else 0)
    assert back.offset.line_offset == (6 if kept else 0)
    if not kept:
        assert back.offset.file_inode == (file and file.inode)
        assert back.offset.file_size_seen == (file.size if file else 0)
        assert LogOffset.get(LogOffset.agent_id == AGENT).open_window is None


def test_stale_and_never_read_is_no_rotation() -> None:
    attach()
    log_attaching.end(AGENT, "stale", 20)
    assert not attach(now=30, file=READ).rotated


@pytest.mark.parametrize("prior", ["active", "stale", "detached"])
def test_there_and_back(prior: str) -> None:
    first = attach()
    read()
    if prior != "active":
        log_attaching.end(AGENT, prior, 15)
    second = attach("/b", 20, LogFile("1:9", 0))
    assert (second.is_new, second.prior_status, second.offset.byte_offset) == (True, prior, 0)
    old = agent_logs.by_id(first.attachment.attachment_id)
    assert old is not None
    assert (old.status, old.superseded_at) == ("superseded", 20)
    assert old.superseded_by == second.attachment.attachment_id
    third = attach("/a", 30, LogFile("1:7", 150))
    assert third.is_new
    assert third.offset.byte_offset == 60, "bytes that were classified are not classified twice"
    newest = agent_logs.newest(AGENT)
    assert newest == agent_logs.current(AGENT) == third.attachment
    assert audits()[-2:] == [
        (prior, "active", "/a", "/b", os.geteuid()),
        ("active", "active", "/b", "/a", os.geteuid()),
    ]


def test_one_agent_a_path() -> None:
    attach()
    with pytest.raises(IntegrityError):
        attach(agent_id=OTHER)
    log_attaching.end(AGENT, "detached", 20)
    assert attach(agent_id=OTHER, now=30).is_new
    owner = agent_logs.active_on("/a")
    assert owner is not None
    assert owner.agent_id == OTHER


def test_what_was_fetched_is_not_fetched_twice() -> None:
    wanted: dict[str, Any] = {"via": "exec", "bench_path": "/tmp/a"}
    first = attach(file=LogFile("1:1", 5), **wanted)
    assert (first.attachment.fetched, first.attachment.fetched_size) == (0, 5)
    log_attaching.note_fetched(first.attachment.attachment_id, 70, 75)
    attach("/b", 20)
    back = attach(now=30, file=LogFile("1:1", 75), **wanted)
    assert (back.attachment.fetched, back.attachment.fetched_size) == (70, 75)
