"""The log methods as a client meets them: shapes, order of refusals, whose container it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from agenttower import clock
from agenttower.engine import presence
from agenttower.engine.engine import Engine
from agenttower.paths import Paths
from agenttower.rpc.dispatch import Answer, Dispatcher, Job
from agenttower.rpc.method import Pending
from agenttower.rpc.methods.logs import log_methods
from agenttower.services.agent_logs import AgentLogs
from agenttower.services.caller import Caller
from agenttower.services.log_place import LogPlaces
from agenttower.services.log_reading import LogReading
from agenttower.store import log_attaching, log_changes
from agenttower.store.database import Store, open_sqlite
from agenttower.store.log_attaching import NewAttachment
from agenttower.store.migrate import migrate
from agenttower.store.models import Agent, Container, Pane, Worker
from tests.support.rpc_server import decoded

OWN, OTHER = "a" * 64, "b" * 64
AGENT, INACTIVE, PANELESS, FOREIGN = (f"agt_{number:012x}" for number in range(4))
SCHEMA = 9
HOST = Caller("host", uid=1000)


class SilentQueue:
    """Nobody works."""

    def post(self, step_id: int, stage: str, not_before: int) -> None: ...

    def ring(self) -> None: ...


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    home = tmp_path.resolve()
    paths = Paths(home / "config/o/a", home / "state", home / "cache/o/a")
    (paths.logs_dir / OWN).mkdir(parents=True)
    (home / "work").mkdir()
    return paths


@pytest.fixture
def store(paths: Paths) -> Iterator[Store]:
    store = open_sqlite(paths.database)
    migrate(store)
    home = paths.state_dir.parent
    mounts = [
        {"source": str(home / "work"), "target": "/work", "type": "bind", "mode": "", "rw": True},
        {"source": str(paths.logs_dir), "target": "/logs", "type": "bind", "mode": "", "rw": True},
    ]
    for container_id in (OWN, OTHER):
        Container.insert(
            id=container_id, name=container_id[:5], provider="docker", image="i", status="running",
            started_at="", labels="{}", mounts=msgspec.json.encode(mounts).decode(), env_names="[]",
            has_init=True, active=True, first_seen_at=1, last_scanned_at=1,
        ).execute()  # fmt: skip
    for number, agent_id in enumerate((AGENT, INACTIVE, PANELESS, FOREIGN)):
        key = {
            "container_id": OTHER if agent_id == FOREIGN else OWN, "tmux_socket_path": "/s",
            "tmux_session_name": "s", "tmux_window_index": 0, "tmux_pane_index": number,
            "tmux_pane_id": f"%{number}",
        }  # fmt: skip
        Agent.insert(
            agent_id=agent_id, **key, role="slave", capability="shell", label="", project_path="",
            origin="adopted", created_at=1, last_registered_at=1, active=agent_id != INACTIVE,
        ).execute()  # fmt: skip
        Pane.insert(
            token="",
            **key, tmux_server="1", container_user="", pane_pid=5, pane_tty="",
            pane_current_command="", pane_current_path="", pane_title="", pane_active=True,
            active=agent_id != PANELESS, first_seen_at=1, last_scanned_at=1, last_seen_at=1,
        ).execute()  # fmt: skip
    presence.announce(store, "w", presence.this_process(), clock.now())
    yield store
    store.close_thread()


@pytest.fixture
def ask(store: Store, paths: Paths) -> Any:
    engine = Engine(store, SilentQueue(), clock.now)
    services = SimpleNamespace(
        logs=AgentLogs(store, engine, LogPlaces(paths, fallback=False), clock.now),
        log_reading=LogReading(paths),
        status=lambda whole: {"schema_version": SCHEMA},
    )
    dispatcher = Dispatcher(log_methods(cast(Any, services)), lambda ref: ref)

    def ask(method: str, *, by: Caller = HOST, final: bool = False, **params: Any) -> Any:
        job = dispatcher.accept(msgspec.json.encode({"method": method, "params": params}))
        assert isinstance(job, Job)
        outcome = dispatcher.run(job, lambda: by, final=final)
        if isinstance(outcome, Pending):
            return job, dispatcher
        assert isinstance(outcome, Answer)
        reply = decoded(outcome.line)
        return reply["result"] if reply["ok"] else reply["error"]["code"]

    return ask


ALL = ("attach_log", "detach_log", "attach_log_status", "attach_log_preview", "logs.read")
LINES = {"attach_log_preview": {"lines": 1}}


@pytest.mark.parametrize("method", ALL)
def test_shapes(ask: Any, method: str) -> None:
    more = LINES.get(method, {})
    for params, code in (
        ({}, "bad_request"),
        ({"agent_id": 7}, "bad_request"),
        ({"agent_id": AGENT, "source": "explicit"}, "bad_request"),
        ({"agent_id": AGENT, "change_id": "x"}, "bad_request"),
        ({"agent_id": AGENT, "schema_version": True}, "bad_request"),
        ({"agent_id": AGENT, "schema_version": "9"}, "bad_request"),
        ({"agent_id": AGENT, "schema_version": SCHEMA - 1, "x": 1}, "schema_version_newer"),
        ({"agent_id": "agt_0"}, "value_out_of_set"),
        ({"agent_id": AGENT.upper()}, "value_out_of_set"),
        ({"agent_id": "agt_ffffffffffff", "schema_version": SCHEMA + 1}, "agent_not_found"),
    ):
        assert ask(method, **(params | more)) == code, params


@pytest.mark.parametrize("method", ALL)
def test_whose_container_it_is(ask: Any, method: str) -> None:
    bench = Caller("bench", OWN)
    for caller, agent in (
        (Caller("unknown"), AGENT), (bench, FOREIGN), (bench, "agt_ffffffffffff"),
    ):  # fmt: skip
        assert ask(method, by=caller, agent_id=agent, **LINES.get(method, {})) == "host_only"
    mine = ask(method, by=bench, agent_id=INACTIVE, **LINES.get(method, {}))
    assert mine != "host_only"


def test_refused_before_anything_is_done(ask: Any, store: Store) -> None:
    for params, code in (
        ({"agent_id": INACTIVE}, "agent_inactive"),
        ({"agent_id": PANELESS}, "pane_unknown_to_daemon"),
        ({"agent_id": AGENT, "log_path": ""}, "log_path_invalid"),
        ({"agent_id": AGENT, "log_path": f"/logs/{OTHER}/x"}, "log_path_invalid"),
        ({"agent_id": AGENT, "log_path": "/home/x"}, "log_path_not_host_visible"),
        ({"agent_id": AGENT, "log_path": 7}, "bad_request"),
    ):
        assert ask("attach_log", **params) == code, params
    assert ask("detach_log", agent_id=AGENT) == "attachment_not_found"
    Container.update(active=False).where(Container.id == OWN).execute()
    assert ask("attach_log", agent_id=AGENT) == "agent_inactive"
    assert log_changes.under_way(AGENT) is None


def test_no_worker(ask: Any, store: Store) -> None:
    Worker.delete().execute()
    assert ask("attach_log", agent_id=AGENT) == "worker_unavailable"


def test_one_change_at_a_time(ask: Any, paths: Paths) -> None:
    """The second waits for its turn, and no request orders anything twice."""
    job, dispatcher = ask("attach_log", agent_id=AGENT, log_path="/work/x.log")
    first = log_changes.under_way(AGENT)
    assert first is not None
    assert first.request["log_path"] == str(paths.state_dir.parent / "work/x.log")
    assert first.request["peer_uid"] == 1000
    other, _ = ask("attach_log", agent_id=AGENT)
    assert isinstance(dispatcher.run(job, lambda: HOST), Pending)
    again = log_changes.under_way(AGENT)
    assert again is not None
    assert again.change_id == first.change_id
    log_changes.finish(first.change_id, clock.now(), {"attach_log": {"agent_id": AGENT}})
    answer = dispatcher.run(job, lambda: HOST)
    assert isinstance(answer, Answer)
    assert decoded(answer.line)["result"] == {"agent_id": AGENT}
    assert log_changes.under_way(AGENT) is None
    assert isinstance(dispatcher.run(other, lambda: HOST), Pending)
    second = log_changes.under_way(AGENT)
    assert second is not None
    assert second.change_id != first.change_id
    answer = dispatcher.run(other, lambda: HOST, final=True)
    assert isinstance(answer, Answer)
    assert "goes on by itself" in decoded(answer.line)["error"]["message"]


def attached(paths: Paths, **more: Any) -> Path:
    path = paths.logs_dir / OWN / f"{AGENT}.log"
    wanted = {"bench_path": "/x", "via": "pipe", "source": "explicit", "file": None} | more
    log_attaching.attach(NewAttachment(AGENT, str(path), **wanted), clock.now())
    return path


def test_preview(ask: Any, paths: Paths) -> None:
    assert ask("attach_log_preview", agent_id=AGENT, lines=1) == "attachment_not_found"
    assert ask("attach_log_status", agent_id=AGENT) == {
        "agent_id": AGENT, "attachment": None, "offset": None,
    }  # fmt: skip
    path = attached(paths)
    assert ask("attach_log_preview", agent_id=AGENT, lines=1) == "log_file_missing"
    path.write_bytes(
        b"first\nTOKEN=x\r\n\x1b[31mred\x1b[0m \x00\x07bell \xff\xc0\n" + b"x" * 70000 + b"\nend"
    )
    shown = ask("attach_log_preview", agent_id=AGENT, lines=4)["lines"]
    assert shown[:2] == ["TOKEN=<redacted:env-secret>", "red bell \ufffd\ufffd"]
    assert (shown[2], shown[3]) == ("x" * 65536 + "…", "end")
    for lines, code in ((0, "value_out_of_set"), (201, "value_out_of_set"), (1.5, "bad_request")):
        assert ask("attach_log_preview", agent_id=AGENT, lines=lines) == code
    assert ask("attach_log_preview", agent_id=AGENT, lines=True) == "bad_request"
    log_attaching.end(AGENT, "stale", clock.now())
    assert len(ask("attach_log_preview", agent_id=AGENT, lines=200)["lines"]) == 5


@pytest.mark.parametrize("trick", ["link", "parent", "fifo", "directory"])
def test_no_trick_of_the_bench_shows_other_files(ask: Any, paths: Paths, trick: str) -> None:
    path = attached(paths)
    secret = paths.state_dir / "secret"
    (secret / path.name).parent.mkdir()
    (secret / path.name).write_text("secret\n")
    if trick == "link":
        path.symlink_to(secret / path.name)
    elif trick == "parent":
        path.parent.rmdir()
        path.parent.symlink_to(secret)
    elif trick == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    assert ask("attach_log_preview", agent_id=AGENT, lines=5) == "log_file_missing"
    assert ask("logs.read", agent_id=AGENT) == "log_file_missing"


def test_read(ask: Any, paths: Paths) -> None:
    path = attached(paths)
    path.write_bytes(b"one\ntwo\nthr")
    page = ask("logs.read", agent_id=AGENT, lines=1)
    assert (page["lines"], page["partial"], page["next"]) == (["two"], "thr", 8)
    place = {"agent_id": AGENT, "offset": 8, "file": page["file"]}
    assert isinstance(ask("logs.read", **place, wait_seconds=5), tuple)
    assert ask("logs.read", **place, wait_seconds=5, final=True)["lines"] == []
    path.write_bytes(b"new\n")
    again = ask("logs.read", **place, wait_seconds=5)
    assert (again["lines"], again["reset"]) == (["new"], True)
    for params in ({"offset": -1}, {"lines": 0}, {"lines": 2001}, {"wait_seconds": 26}):
        assert ask("logs.read", agent_id=AGENT, **params) == "bad_request"


def test_status(ask: Any, paths: Paths, store: Store) -> None:
    path = attached(paths)
    status = ask("attach_log_status", agent_id=AGENT)
    assert list(status["attachment"]) == [
        "attachment_id", "log_path", "status", "source", "attached_at", "last_status_at",
        "superseded_at", "superseded_by", "via",
    ]  # fmt: skip
    assert status["offset"] == {
        "byte_offset": 0, "line_offset": 0, "last_event_offset": 0, "last_output_at": None,
        "file_inode": None, "file_size_seen": 0,
    }  # fmt: skip
    assert status["attachment"]["log_path"] == str(path)
