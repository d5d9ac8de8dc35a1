"""Logs of agents that nobody made with AgentTower, over real mounts and real tmux."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from docker.models.containers import Container

from tests.support import module_tower
from tests.support.adopted import Adopted, adopt, rows
from tests.support.docker import BenchFactory
from tests.support.layouts import create, log_of, settled
from tests.support.tower import Tower
from tests.support.waiting import wait_until

state_home, bench_factory, tower = (
    module_tower.state_home,
    module_tower.bench_factory,
    module_tower.tower,
)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of the host that a bench has at /work, and once more, read-only, at /ro."""
    directory = tmp_path_factory.mktemp("work").resolve()
    directory.chmod(0o777)
    return directory


@pytest.fixture(scope="module")
def bench(tower: Tower, bench_factory: BenchFactory, work: Path) -> Container:
    """Its user is uid 1000, who is not the one who runs the tower."""
    if os.geteuid() != 0:
        pytest.skip("hands files over to another uid")
    logs = tower.home.paths.logs_dir
    (work / "ro").mkdir()
    mounts = {logs: "/elsewhere/logs", work: "/work", work / "ro": ("/ro", "ro")}
    container = bench_factory(user="bench", mounts=mounts)
    tower.result("scan_containers")
    return container


@pytest.fixture
def agent(tower: Tower, bench: Container) -> Adopted:
    return adopt(tower, bench, "bench")


def audits(agent: Adopted) -> list[tuple[str | None, str, str]]:
    """Prior status, new status and the name of the new path, of each audit line."""
    found = rows(
        agent.tower,
        "SELECT payload FROM event WHERE event_type = 'log_attachment_change'"
        " AND json_extract(payload, '$.agent_id') = ? ORDER BY id",
        agent.agent_id,
    )
    lines = [json.loads(row[0]) for row in found]
    return [(ln["prior_status"], ln["new_status"], Path(ln["new_path"]).name) for ln in lines]


def holds(path: Path, text: bytes) -> None:
    wait_until(
        lambda: path.exists() and path.read_bytes() == text, 10, f"{path.name} to be {text!r}"
    )


def test_attached_shown_detached_and_attached_again(agent: Adopted) -> None:
    attached = agent.result("attach_log")
    path = agent.tower.home.paths.logs_dir / str(agent.container.id) / f"{agent.agent_id}.log"
    assert attached["log_path"] == str(path)
    assert (attached["status"], attached["source"], attached["is_new"]) == (
        "active",
        "explicit",
        True,
    )
    assert (attached["byte_offset"], attached["line_offset"], attached["prior_status"]) == (
        0,
        0,
        None,
    )
    assert (path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) == (1000, 0o600)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    agent.type("TOKEN=abc")
    holds(path, b"TOKEN=abc\r\nTOKEN=abc\r\n")
    shown = agent.result("attach_log_preview", lines=5)
    assert shown["lines"] == ["TOKEN=<redacted:env-secret>"] * 2
    # Again: the same row, and the pipe that stands.
    again = agent.result("attach_log")
    assert (again["attachment_id"], again["is_new"]) == (attached["attachment_id"], False)
    detached = agent.result("detach_log")
    assert (detached["status"], detached["log_path"]) == ("detached", str(path))
    assert not agent.piped
    assert agent.error("detach_log") == "attachment_not_found"
    agent.type("unheard")
    back = agent.result("attach_log")
    assert (back["attachment_id"], back["prior_status"]) == (attached["attachment_id"], "detached")
    agent.type("heard")
    holds(path, b"TOKEN=abc\r\nTOKEN=abc\r\nheard\r\nheard\r\n")
    name = path.name
    assert audits(agent) == [
        (None, "active", name), ("active", "detached", name), ("detached", "active", name),
    ]  # fmt: skip
    status = agent.result("attach_log_status")
    assert status["attachment"]["status"] == "active"
    read_whole(agent, path)


def read_whole(agent: Adopted, path: Path) -> None:
    """The reader has come to the end of the log, and knows which file that is."""

    def read() -> bool:
        offset = agent.result("attach_log_status")["offset"]
        known = offset["file_inode"] == f"{os.stat(path).st_dev}:{os.stat(path).st_ino}"
        return known and bool(offset["byte_offset"] == os.stat(path).st_size)

    wait_until(read, 20, f"{path.name} to be read")


def test_there_and_back(agent: Adopted, work: Path) -> None:
    """A, then B, then A again: each time the pane is piped into the path that was asked for."""
    first = agent.result("attach_log", log_path="/work/new/dir/a.log")
    assert first["log_path"] == f"{work}/new/dir/a.log"
    assert (work / "new").stat().st_uid == 1000
    agent.type("one")
    holds(work / "new/dir/a.log", b"one\r\none\r\n")
    read_whole(agent, work / "new/dir/a.log")
    second = agent.result("attach_log", log_path="/work/b.log")
    assert second["is_new"]
    third = agent.result("attach_log", log_path="/work/new/dir/a.log")
    assert third["is_new"]
    assert third["byte_offset"] == 10
    agent.type("two")
    holds(work / "new/dir/a.log", b"one\r\none\r\ntwo\r\ntwo\r\n")
    assert (work / "b.log").read_bytes() == b""
    found = rows(
        agent.tower,
        "SELECT attachment_id, status, superseded_by FROM log_attachment WHERE agent_id = ?"
        " ORDER BY created_at",
        agent.agent_id,
    )
    ids = [made["attachment_id"] for made in (first, second, third)]
    assert found == [
        (ids[0], "superseded", ids[1]), (ids[1], "superseded", ids[2]), (ids[2], "active", None),
    ]  # fmt: skip
    assert audits(agent) == [
        (None, "active", "a.log"), ("active", "active", "b.log"), ("active", "active", "a.log"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("relative", "log_path_invalid"),
        ("/work/../x", "log_path_invalid"),
        ("/work/a\nb", "log_path_invalid"),
        ("/work/a#{pid}", "log_path_invalid"),
        ("/work/ro", "log_path_invalid"),
        ("/proc/x.log", "log_path_invalid"),
        ("/elsewhere/logs/x.log", "log_path_invalid"),
        ("/elsewhere/logs/" + "a" * 64 + "/x.log", "log_path_invalid"),
        ("/tmp/x.log", "log_path_not_host_visible"),
        ("/ro/x.log", "log_path_not_host_visible"),
        ("/work/link/x.log", "log_path_not_host_visible"),
    ],
)
def test_paths_that_are_refused(agent: Adopted, work: Path, path: str, code: str) -> None:
    if not (work / "link").is_symlink():
        (work / "link").symlink_to("/tmp")
    assert agent.error("attach_log", log_path=path) == code
    assert not agent.piped
    assert audits(agent) == []


def test_one_agent_a_path(agent: Adopted, tower: Tower, bench: Container) -> None:
    other = adopt(tower, bench, "bench", server="second")
    other.result("attach_log", log_path="/work/taken.log")
    assert agent.error("attach_log", log_path="/work/taken.log") == "log_path_in_use"
    other.result("detach_log")
    agent.result("attach_log", log_path="/work/taken.log")


def test_a_foreign_pipe_is_taken_over(agent: Adopted, work: Path) -> None:
    agent.tmux("pipe-pane", "-t", agent.pane_id, "cat >>/work/foreign.log")
    agent.result("attach_log", log_path="/work/ours.log")
    agent.type("x")
    holds(work / "ours.log", b"x\r\nx\r\n")
    holds(work / "foreign.log", b"")
    [(prior,)] = rows(
        agent.tower,
        "SELECT prior_pipe_target FROM log_attachment WHERE agent_id = ?",
        agent.agent_id,
    )
    assert prior


def test_what_the_bench_writes_elsewhere_is_no_log(agent: Adopted, work: Path) -> None:
    """The bench's root has put something over the mount: the host's file is never touched."""
    (work / "hidden").mkdir(mode=0o777)
    (work / "hidden").chmod(0o777)
    (work / "hidden/x.log").write_bytes(b"kept")
    (work / "hidden/x.log").chmod(0o400)
    reply = agent.call("attach_log", log_path="/work/hidden/x.log")
    assert reply["error"]["code"] == "log_path_not_host_visible"
    assert not agent.piped
    assert (work / "hidden/x.log").read_bytes() == b"kept"
    assert (
        rows(agent.tower, "SELECT * FROM log_attachment WHERE agent_id = ?", agent.agent_id) == []
    )


def test_a_failed_move_leaves_the_old_log_written(agent: Adopted, work: Path) -> None:
    agent.result("attach_log", log_path="/work/old.log")
    (work / "sealed").mkdir(mode=0o700)
    assert agent.error("attach_log", log_path="/work/sealed/x.log") == "log_path_not_host_visible"
    agent.type("still")
    holds(work / "old.log", b"still\r\nstill\r\n")


def test_a_lost_pipe_is_made_again_and_a_lost_file_is_not(agent: Adopted, work: Path) -> None:
    agent.result("attach_log", log_path="/work/lost.log")
    agent.tmux("pipe-pane", "-t", agent.pane_id)
    agent.tower.stop("worker")
    agent.tower.start("worker")
    wait_until(lambda: agent.piped, 20, "the pipe to be made again")
    (work / "lost.log").unlink()
    agent.tower.stop("worker")
    agent.tower.start("worker")

    def state() -> str:
        return str(agent.result("attach_log_status")["attachment"]["status"])

    wait_until(lambda: state() == "stale", 20, "the attachment to be stale")
    assert agent.error("attach_log_preview", lines=1) == "log_file_missing"
    assert agent.result("attach_log", log_path="/work/lost.log")["prior_status"] == "stale"
    agent.type("x")
    holds(work / "lost.log", b"x\r\nx\r\n")


def test_a_pipe_without_a_row_is_told(agent: Adopted) -> None:
    path = f"/elsewhere/logs/{agent.container.id}/{agent.agent_id}.log"
    agent.tmux("pipe-pane", "-t", agent.pane_id, f"exec cat >>{path}")
    agent.tower.stop("worker")
    agent.tower.start("worker")
    said = f"{path} is written for {agent.agent_id} (pane {agent.pane_id})"
    wait_until(lambda: said in agent.tower.logs(), 20, "the orphan to be told of")
    assert agent.piped
    assert agent.result("attach_log_status")["attachment"] is None


def test_a_gone_pane(agent: Adopted) -> None:
    agent.result("attach_log")
    agent.tmux("kill-pane", "-t", agent.pane_id)
    assert agent.error("attach_log") == "pane_unknown_to_daemon"
    assert agent.error("detach_log") == "pane_unknown_to_daemon"


def test_following_by_reading(agent: Adopted) -> None:
    agent.result("attach_log")
    for text in ("a", "b"):
        agent.type(text)
    wait_until(lambda: len(agent.result("logs.read")["lines"]) == 4, 10, "the lines")
    page = agent.result("logs.read", lines=1)
    assert (page["lines"], page["partial"]) == (["b"], None)
    place = {"offset": page["next"], "file": page["file"]}
    assert agent.result("logs.read", **place, wait_seconds=0.2)["lines"] == []
    agent.type("c")
    wait_until(lambda: agent.result("logs.read", **place)["lines"] == ["c", "c"], 10, "news")
    Path(page["log_path"]).write_bytes(b"new\n")
    again = agent.result("logs.read", **place)
    assert (again["lines"], again["reset"]) == (["new"], True)


def test_a_managed_log_that_was_given_up_is_active_again(
    tower: Tower, bench: Container, work: Path
) -> None:
    """The reader called it stale, since its file was away; the next look makes it anew."""
    layout = create(tower, bench, "1m+2s", session="managed", label_prefix="g-")
    panes = settled(tower, layout["layout_id"])["panes"]
    assert {pane["state"] for pane in panes} == {"ready"}
    shown = subprocess.run(
        [sys.executable, "-m", "agenttower.cli.main", "logs", "show", layout["layout_id"]],
        env=tower.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    labels = {line.partition(" | ")[0].strip() for line in shown.stdout.splitlines()}
    assert labels <= {pane["label"] for pane in panes}
    moved, lost = panes[0]["agent_id"], panes[1]["agent_id"]
    tower.result("attach_log", {"agent_id": moved, "log_path": "/work/moved.log"})
    log_of(tower, panes[1]).unlink()
    (work / "moved.log").unlink()
    with closing(sqlite3.connect(tower.home.paths.database, timeout=10)) as database, database:
        database.execute(
            "UPDATE log_attachment SET status = 'stale' WHERE agent_id IN (?, ?)"
            " AND status = 'active'",
            (moved, lost),
        )
    tower.stop("worker")
    tower.start("worker")
    for agent_id in (moved, lost):

        def state(agent_id: str = agent_id) -> str:
            result = tower.result("attach_log_status", {"agent_id": agent_id})
            return str(result["attachment"]["status"])

        wait_until(lambda state=state: state() == "active", 20, "the attachment to be active")
    assert log_of(tower, panes[1]).exists()
    assert (work / "moved.log").exists()
    tower.result("managed.layout.remove", {"layout_id": layout["layout_id"]})
