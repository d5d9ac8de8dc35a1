"""Logs that no mount shows: refused by default, and on demand read through the engine."""

from __future__ import annotations

import stat
from collections.abc import Callable
from contextlib import suppress

import pytest
from docker.models.containers import Container

from tests.support.adopted import Adopted, adopt, rows
from tests.support.docker import BenchFactory
from tests.support.layouts import create, log_of, settled, write_profile, write_template
from tests.support.tower import Tower
from tests.support.waiting import wait_until


@pytest.fixture
def bench(tower: Tower, bench_factory: BenchFactory) -> Container:
    """A bench that sees nothing of the host."""
    container = bench_factory(user="bench")
    tower.result("scan_containers")
    return container


def restart(tower: Tower, **environ: str) -> None:
    tower.environ |= environ
    tower.stop()
    tower.start()


def test_without_a_mount(tower: Tower, bench: Container) -> None:
    agent = adopt(tower, bench, "bench")
    error = agent.call("attach_log")["error"]
    assert error["code"] == "log_path_not_host_visible"
    logs = tower.home.paths.logs_dir
    assert f"-v {logs}:{logs}" in error["message"]
    restart(tower, AGENTTOWER_LOGS_FALLBACK="exec")
    attached = agent.result("attach_log")
    assert attached["via"] == "exec"
    host = logs / str(bench.id) / f"{agent.agent_id}.log"
    assert attached["log_path"] == str(host)
    assert stat.S_IMODE(host.stat().st_mode) == 0o600
    agent.type("one")
    wait_until(lambda: host.read_bytes() == b"one\r\none\r\n", 10, "the copy")
    _kills(agent, str(host))
    # A path that was asked for is never read through the engine.
    assert agent.error("attach_log", log_path="/tmp/x.log") == "log_path_not_host_visible"


def _kills(agent: Adopted, host: str) -> None:
    """Killed between the copy and its row, again and again: nothing lost, nothing twice."""
    tower = agent.tower
    tower.stop("worker")
    # Written as the pipe writes: the pane itself could not be as fast.
    command = f"seq 1 300000 >>/tmp/agenttower-1000/{agent.agent_id}.log"
    agent.container.exec_run(["sh", "-c", command], user="bench")
    wanted = b"one\r\none\r\n" + b"".join(b"%d\n" % n for n in range(1, 300001))
    for _ in range(2):
        with suppress(AssertionError):
            tower.start("worker", environ={"AGENTTOWER_CRASH_AT": "log_fetch.appended"})
        tower.wait_killed("worker")
    with open(host, "rb") as file:
        assert wanted.startswith(file.read())
    tower.start("worker")
    wait_until(whole_of(host, wanted), 20, "the whole log")
    # What was left when the log is detached comes along.
    agent.type("last")
    detached = agent.result("detach_log")
    assert detached["status"] == "detached"
    with open(host, "rb") as file:
        assert file.read() == wanted + b"last\r\nlast\r\n"
    # Attached again, it goes on where it was.
    agent.result("attach_log")
    agent.type("x")
    wanted += b"last\r\nlast\r\nx\r\nx\r\n"
    wait_until(whole_of(host, wanted), 10, "news")
    [(fetched, size)] = rows(tower, "SELECT fetched, fetched_size FROM log_attachment")
    assert fetched == size == len(wanted)
    # Rotated on the host: what was copied does not come again.
    with open(host, "wb"):
        pass
    agent.type("y")
    wait_until(whole_of(host, b"y\r\ny\r\n"), 10, "what came after")


def whole_of(path: str, wanted: bytes) -> Callable[[], bool]:
    def whole() -> bool:
        with open(path, "rb") as file:
            return file.read() == wanted

    return whole


def test_managed_panes(tower: Tower, bench: Container) -> None:
    write_profile(tower, "says", ["/bin/sh", "-c", "echo hello; exec sleep 1000"])
    write_template(tower, "one", [{"default_launch_command_ref": "says"}])
    layout = create(tower, bench, "one", session="before")
    [pane] = settled(tower, layout["layout_id"])["panes"]
    assert (pane["state"], pane["failed_stage"]) == ("degraded", "log_attach")
    restart(tower, AGENTTOWER_LOGS_FALLBACK="exec")
    layout = create(tower, bench, "one", session="after", label_prefix="b-")
    [later] = settled(tower, layout["layout_id"])["panes"]
    assert later["state"] == "ready"
    wait_until(lambda: log_of(tower, later).read_bytes() == b"hello\r\n", 10, "its output")
    # The one that could not be attached then can be now.
    reply = tower.result("attach_log", {"agent_id": pane["agent_id"]})
    assert (reply["status"], reply["via"]) == ("active", "exec")
    detail = tower.result("managed.pane.detail", {"pane_id": pane["pane_id"]})
    assert detail["log_attached"]
    tower.result("detach_log", {"agent_id": later["agent_id"]})
    assert not tower.result("managed.pane.detail", {"pane_id": later["pane_id"]})["log_attached"]
    found = rows(tower, "SELECT agent_id FROM log_offset ORDER BY created_at")
    assert {row[0] for row in found} == {pane["agent_id"], later["agent_id"]}
