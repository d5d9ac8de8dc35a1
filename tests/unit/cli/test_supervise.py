"""``up`` in the small: real processes, real signals, and nothing left at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.waiting import wait_until

# Waits for a signal. "deaf" ignores SIGTERM, "sulks" ends badly, "quits" and "leaves" end unasked.
CHILD = """
import os, signal, sys, time
name, manner, folder = sys.argv[1:]
def stop(number, frame):
    print("stopping", name, flush=True)
    open(folder + "/order", "a").write(name + "\\n")
    sys.exit(7 if manner == "sulks" else 0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if manner == "deaf" else stop)
print("hello from", name, "\\x1b[31mred", flush=True)
if manner == "quits":
    print("no line end", end="", flush=True)
    sys.exit(5)
if manner == "leaves":
    sys.exit(0)
open(folder + "/" + name, "w").write(str(os.getpid()))
while True:
    signal.pause()
"""

PARENT = """
import sys
from agenttower.cli.supervise import Program, supervise
folder, grace, *manners = sys.argv[1:]
programs = [
    Program(f"p{i}", [sys.executable, "-c", CHILD, f"p{i}", manner, folder])
    for i, manner in enumerate(manners)
]
sys.exit(supervise(
    programs, lambda name, line: print(f"{name}> {line!a}", flush=True), grace_seconds=float(grace)
))
"""


class Supervisor:
    """A process that supervises children of the given manners."""

    def __init__(self, folder: Path, *manners: str, grace: float = 30.0) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"CHILD = {CHILD!r}\n{PARENT}", folder, str(grace), *manners],
            stdout=subprocess.PIPE,
            text=True,
        )

    def pids(self, *names: str) -> list[int]:
        """The children's pids, once each of them waits for signals."""
        files = [self.folder / name for name in names]
        wait_until(lambda: all(f.exists() and f.read_text() for f in files), 20, "the children")
        return [int(file.read_text()) for file in files]

    def end(self) -> tuple[int, str]:
        out, _ = self.process.communicate(timeout=30)
        return self.process.returncode, out

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=30)


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[object]:
    started: list[Supervisor] = []

    def start(*manners: str, grace: float = 30.0) -> Supervisor:
        started.append(Supervisor(tmp_path, *manners, grace=grace))
        return started[-1]

    yield start
    for supervisor in started:
        supervisor.close()


def is_gone(pid: int) -> bool:
    """Whether a process is no more; a zombie that nobody has collected yet counts as gone."""
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_signal_stops_the_last_program_first_and_is_success(supervise, tmp_path, number):
    running = supervise("plain", "plain")
    pids = running.pids("p0", "p1")
    running.process.send_signal(number)
    code, out = running.end()
    assert code == 0
    assert (tmp_path / "order").read_text() == "p1\np0\n"
    assert "p1> 'stopping p1'" in out.splitlines()
    assert all(map(is_gone, pids))


def test_output_is_passed_on_line_by_line_with_names(supervise):
    running = supervise("plain", "quits")
    code, out = running.end()
    assert code == 5, "the exit code of the one that ended by itself"
    assert "p1> 'hello from p1 \\x1b[31mred'" in out.splitlines()
    assert "p1> 'no line end'" in out.splitlines()


def test_one_that_ends_takes_the_other_along(supervise):
    running = supervise("quits", "plain")
    code, out = running.end()
    assert code == 5
    assert "p1> 'stopping p1'" in out.splitlines() or "hello from p1" not in out


def test_ending_unasked_is_a_failure_even_with_code_0(supervise):
    assert supervise("plain", "leaves").end()[0] == 1
    assert supervise("leaves").end()[0] == 1


def test_a_child_killed_by_a_signal_gives_128_plus_its_number(supervise):
    running = supervise("plain", "plain")
    _, second = running.pids("p0", "p1")
    os.kill(second, signal.SIGKILL)
    assert running.end()[0] == 128 + signal.SIGKILL


def test_stopping_badly_shows_in_the_exit_code(supervise):
    running = supervise("plain", "sulks")
    running.pids("p0", "p1")
    running.process.terminate()
    assert running.end()[0] == 7


def test_one_that_does_not_stop_is_killed_after_its_grace(supervise):
    running = supervise("plain", "deaf", grace=0.2)
    pids = running.pids("p0", "p1")
    running.process.terminate()
    code, out = running.end()
    assert code == 128 + signal.SIGKILL
    assert "p1> 'did not stop within 0.2 s; killed'" in out.splitlines()
    assert "p0> 'stopping p0'" in out.splitlines(), "the other one still stops politely"
    assert all(map(is_gone, pids))


def test_a_second_signal_kills_at_once(supervise, tmp_path):
    running = supervise("deaf", "plain")
    pids = running.pids("p0", "p1")
    running.process.send_signal(signal.SIGINT)
    # Once the polite one has stopped, the first signal has been taken.
    wait_until(lambda: is_gone(pids[1]), 20, "p1 to stop")
    running.process.send_signal(signal.SIGINT)
    assert running.end()[0] == 128 + signal.SIGKILL
    assert all(map(is_gone, pids))


def test_kill_9_of_the_supervisor_leaves_no_orphan(supervise):
    running = supervise("deaf", "plain")
    pids = running.pids("p0", "p1")
    running.process.kill()
    running.process.wait(30)
    wait_until(lambda: all(map(is_gone, pids)), 10, "the children to die with their parent")


def test_a_program_that_cannot_be_started_takes_the_others_along(tmp_path):
    script = f"""
import sys
from agenttower.cli.supervise import Program, supervise
first = Program("first", [sys.executable, "-c", {CHILD!r}, "p0", "deaf", {str(tmp_path)!r}])
supervise([first, Program("second", ["/nowhere/program"])], lambda name, line: None)
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False
    )
    assert "FileNotFoundError" in ended.stderr
    pid = tmp_path / "p0"
    assert not pid.exists() or is_gone(int(pid.read_text() or "0") or -1)
