"""The units as systemd reads them, and the processes as a service manager sees them."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from agenttower.engine.presence import HEARTBEAT_S
from agenttower.service.plan import TMUX, Plan, units
from tests.support.docker import cannot_run
from tests.support.layouts import settled
from tests.support.manager import Manager, listening
from tests.support.state_home import StateHome
from tests.support.tower import Tower
from tests.support.waiting import wait_until

NASTY = "a  b%h%%é;#"
NASTIER = NASTY + "\"q'\\x41${HOME}$$"
START_S = 20.0
FEED_S = 4 * HEARTBEAT_S


@pytest.fixture
def manager(state_home: StateHome) -> Iterator[Manager]:
    with listening(state_home.root / "notify") as manager:
        yield manager


@pytest.fixture
def stopped_tower(state_home: StateHome) -> Iterator[Tower]:
    """A tower of which nothing runs yet."""
    tower = Tower(state_home)
    try:
        yield tower
    finally:
        tower.close()


# --- as systemd reads them -----------------------------------------------------------------------


def programs(folder: Path) -> Plan:
    """A plan whose programs exist, under a path that nobody likes."""
    folder.mkdir()
    for name in ("python", "tmux"):
        (folder / name).symlink_to(shutil.which("true") or "/bin/true")
    return Plan(
        python=str(folder / "python"),
        environment={"DOCKER_HOST": f"unix:///{NASTIER}", "AGENTTOWER_WORKER_THREADS": "4"},
        tmux=str(folder / "tmux"),
        tmux_socket=str(folder / NASTIER),
    )


def verify(wanted: dict[str, str], tmp_path: Path, *options: str) -> str:
    """What ``systemd-analyze verify`` has to say, which is nothing where all is well."""
    if shutil.which("systemd-analyze") is None:
        cannot_run("systemd-analyze is not installed")
    folder = tmp_path / "units"
    folder.mkdir(exist_ok=True)
    for name, text in wanted.items():
        (folder / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", *options, "--man=no", "--recursive-errors=no", "verify"]
        + [str(folder / name) for name in wanted],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr + (f"exit {done.returncode}" if done.returncode else "")


@pytest.mark.parametrize("name", ["plain", NASTY])
@pytest.mark.parametrize("local", [True, False], ids=["local bench", "engine"])
def test_systemd_has_nothing_to_say_about_user_units(
    tmp_path: Path, name: str, local: bool
) -> None:
    plan = programs(tmp_path / name)
    wanted = units(plan if local else replace(plan, tmux=None))
    assert verify(wanted, tmp_path, "--user") == ""


@pytest.mark.parametrize("name", ["plain", NASTY])
def test_systemd_has_nothing_to_say_about_system_units(tmp_path: Path, name: str) -> None:
    me = pwd.getpwuid(os.geteuid()).pw_name
    assert verify(units(replace(programs(tmp_path / name), user=me, group="root")), tmp_path) == ""


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("Type=notify", "Type=notifies", "Failed to parse service type"),
        ("NoNewPrivileges=", "NoOldPrivileges=", "Unknown key"),
        ("python", "no-such-python", "is not executable"),
    ],
)
def test_the_verification_would_complain(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    plan = replace(programs(tmp_path / "p"), tmux=None)
    wanted = {name: text.replace(old, new) for name, text in units(plan).items()}
    assert complaint in verify(wanted, tmp_path, "--user")


# --- as a manager sees them ----------------------------------------------------------------------


def test_the_front_end_is_ready_when_its_socket_answers(
    stopped_tower: Tower, manager: Manager
) -> None:
    tower = stopped_tower
    started = subprocess.Popen(
        [sys.executable, "-m", "agenttower.cli.main", "serve"],
        env=tower.environ | manager.environ,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    tower.processes["serve"] = started
    manager.wait_for("READY=1", START_S)
    assert tower.call("ping")["ok"] is True, "the first try counts"
    assert manager.hear() == ["READY=1"]
    tower.stop("serve")
    assert started.returncode == 0
    assert manager.hear() == ["READY=1", "STOPPING=1"]


def test_a_second_front_end_is_never_ready(tower: Tower, manager: Manager) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "agenttower.cli.main", "serve"],
        env=tower.environ | manager.environ,
        capture_output=True,
        timeout=START_S,
        check=False,
    )
    assert second.returncode == 2, "which the unit does not try again"
    assert manager.hear() == []


def test_a_worker_tells_ready_alive_and_stopping(stopped_tower: Tower, manager: Manager) -> None:
    tower = stopped_tower
    tower.start("worker", environ=manager.environ)
    manager.wait_for("READY=1", START_S)
    assert list(tower.home.paths.bells_dir.glob("queue.*")), "its reader listens"
    manager.wait_for("WATCHDOG=1", FEED_S)
    process = tower.processes["worker"]
    tower.stop("worker")
    assert process.returncode == 0
    assert manager.hear()[-1] == "STOPPING=1"
    assert manager.hear().count("READY=1") == 1


@pytest.mark.slow
def test_a_heartbeat_that_the_database_did_not_take_does_not_feed(
    stopped_tower: Tower, manager: Manager
) -> None:
    tower = stopped_tower
    tower.start("worker", environ=manager.environ)
    manager.wait_for("WATCHDOG=1", FEED_S)
    with closing(sqlite3.connect(tower.home.paths.database, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        manager.forget()
        wait_until(lambda: "heartbeat waits" in tower.logs(), 30, "a heartbeat to fail")
        assert manager.hear() == []
        holder.execute("ROLLBACK")
    manager.wait_for("WATCHDOG=1", FEED_S)


# --- the local bench -----------------------------------------------------------------------------


def create_local(tower: Tower, session: str) -> dict[str, object]:
    made = tower.result(
        "managed.layout.create",
        {
            "container_id": "local",
            "template_name": "1m+2s",
            "tmux_session_name": session,
            "label_prefix": session,
        },
    )
    return settled(tower, made["layout_id"])


def test_panes_live_in_the_server_of_their_own_unit_only(stopped_tower: Tower) -> None:
    """The units say ``start_tmux = false``: what the worker started would end with it."""
    tower = stopped_tower
    tower.home.write_config("[local]\nenabled = true\nstart_tmux = false\n")
    tower.start()
    tower.result("scan_containers")
    socket = tower.home.paths.local_tmux_socket
    refused = tower.call(
        "managed.layout.create",
        {"container_id": "local", "template_name": "1m+2s", "tmux_session_name": "early"},
    )
    assert refused["error"]["code"] == "tmux_unavailable"
    assert "'agenttower service install'" in refused["error"]["message"]
    assert not socket.exists()

    plan = Plan(sys.executable, tmux=shutil.which("tmux"), tmux_socket=str(socket))
    [line] = [line for line in units(plan)[TMUX].splitlines() if line.startswith("ExecStart=")]
    subprocess.run(
        shlex.split(line.removeprefix("ExecStart=")), env=tower.environ, check=True, timeout=20
    )
    assert create_local(tower, "work")["state"] == "ready"
    server = ["tmux", "-S", str(socket)]
    asked = [*server, "display-message", "-p", "-t", "=work:", "#{pid}"]
    pid = int(subprocess.check_output(asked, env=tower.environ, timeout=20))
    for process in tower.processes.values():
        assert os.getsid(pid) != os.getsid(process.pid)
    tower.stop()
    os.kill(pid, 0)  # it outlives both
    tower.start()
    assert create_local(tower, "more")["state"] == "ready"
    states = {pane["state"] for pane in tower.result("managed.pane.list")["items"]}
    assert states == {"ready"}, "and its panes do"
    subprocess.run([*server, "kill-server"], check=True, timeout=20)
