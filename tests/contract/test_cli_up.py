"""``agenttower up`` with the real front end and the real worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from agenttower.cli.exit_codes import ExitCode
from tests.support.state_home import StateHome
from tests.support.tower import Tower
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

ALREADY_RUNNING = 2
"""Of serve and worker, and so of up (legacy surfaces, section 2)."""


class Up:
    """A running ``agenttower up``, its output in a file."""

    def __init__(self, home: StateHome) -> None:
        self.home = home
        self.log = home.root / "up.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "agenttower.cli.main", "up"],
                env=home.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.log.read_text()

    def children(self) -> dict[str, int]:
        """The pids of serve and worker, by name."""
        found = {}
        tasks = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        for pid in map(int, tasks.read_text().split()):
            with suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                found[words[-2].decode()] = pid
        return found

    def end(self) -> int:
        try:
            return self.process.wait(60)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()


@pytest.fixture
def tower(state_home: StateHome) -> Iterator[Tower]:
    """Asks the daemon, and insists at the end that no process is left in this home."""
    idle = Tower(state_home)
    yield idle
    idle.close()


@pytest.fixture
def up(state_home: StateHome, tower: Tower) -> Iterator[Up]:
    running = Up(state_home)
    try:
        wait_until(lambda: answers(running, tower), 30, "the daemon to answer")
        wait_until(lambda: "worker ready" in running.said(), 30, "the worker to be ready")
        yield running
    finally:
        if running.process.poll() is None:
            running.process.terminate()
        running.end()


def answers(up: Up, tower: Tower) -> bool:
    assert up.process.poll() is None, up.said()
    with suppress(OSError, ValueError):
        return tower.call("ping").get("ok") is True
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_both_cleanly(up: Up, number):
    up.process.send_signal(number)
    assert up.end() == 0, up.said()
    names = {line.partition("|")[0].strip() for line in up.said().splitlines()}
    assert names == {"serve", "worker"}
    assert not up.home.paths.socket.exists()


def test_kill_9_leaves_nobody_behind(up: Up):
    up.process.kill()
    assert up.end() == -signal.SIGKILL
    # The fixture insists that no process of this home is left.


@pytest.mark.parametrize("name", ["serve", "worker"])
def test_one_that_dies_takes_the_other_along(up: Up, name):
    os.kill(up.children()[name], signal.SIGKILL)
    assert up.end() == 128 + signal.SIGKILL, up.said()


def test_a_second_up_ends_with_the_reason_and_leaves_the_first_alone(up: Up, tower: Tower):
    second = subprocess.run(
        [sys.executable, "-m", "agenttower.cli.main", "up"],
        env=up.home.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == ALREADY_RUNNING, second.stdout
    assert "already_running" in second.stdout
    assert tower.call("ping")["ok"] is True


def test_bad_settings_end_it_with_the_reason(state_home: StateHome, tower: Tower):
    state_home.write_config("[containers]\nname_contains = 3\n")
    running = Up(state_home)
    assert running.end() == ExitCode.INTERNAL
    assert "config.toml" in running.said()
    assert "name_contains" in running.said()


def test_a_reader_that_goes_away_stops_both(state_home: StateHome, tower: Tower):
    with subprocess.Popen(
        [sys.executable, "-m", "agenttower.cli.main", "up"],
        env=state_home.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        # The next line finds nobody; asking for one, at the latest, makes it come.
        wait_until(lambda: ended_or_asked(process, tower), 30, "up to notice and to stop")
        assert process.stderr.read() == ""
    assert process.returncode == ExitCode.OUTPUT_CLOSED


def ended_or_asked(process: subprocess.Popen[str], tower: Tower) -> bool:
    with suppress(OSError, ValueError):
        tower.call("shutdown")
    return process.poll() is not None
