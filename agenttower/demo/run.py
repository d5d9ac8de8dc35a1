"""``agenttower demo``: a real layout in a throw-away bench, from nothing to nothing."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from agenttower import client
from agenttower.demo.bench import DemoBench, open_bench
from agenttower.demo.programs import find_program
from agenttower.errors import AgentTowerError
from agenttower.paths import Paths, default_paths
from agenttower.private import private_directory

TEMPLATE = "1m+2s"
SESSION = "demo"
LAUNCHES = {"master:m1": "demo-master", "slave:s1": "demo-coder", "slave:s2": "demo-worker"}
PROMPT = "run the tests"
ROUTE = "Please mend it, {source_label}."
LOG_LINES = "3"

START_SECONDS = 30.0
PROMPTED_SECONDS = 30.0
STOP_SECONDS = 45.0
"""A worker finishes the attempt that it is at, at most 30 s."""

_SCAN_DEGRADED = 5
"""The local bench was found; that no engine answered, the demo has said already."""

# By util-linux, which Debian always has: also a demo that is killed leaves no process behind.
_DIES_WITH_US = ("setpriv", "--pdeathsig", "TERM") if find_program("setpriv") else ()

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_NOT_INHERITED = ("AGENTTOWER_", "XDG_", "TMUX", "DOCKER_")

# Stand for coding agents. The coder runs tests that fail when it is asked to, and mends them.
_WORKER = """\
echo "ready to work, on $(uname -n)"
step=0
while sleep 0.5; do
    step=$((step + 1))
    echo "$(date +%T) working, step $step"
done
"""
_CODER = (
    "tests => !think 0.3 | 2 tests failed: test_empty, test_unicode",
    "mend => !think 0.3 | All tests passed.",
)


class DemoFailed(AgentTowerError):
    """Something that the demo shows did not happen."""


def run_demo(keep: bool = False) -> int:
    """Create a ``1m+2s`` layout in a throw-away bench, show it, and leave nothing behind.

    :param keep: stay until Ctrl-C, so that one can attach.
    :returns: the exit code of ``layout create``; 128 + n where signal n ended the demo.
    :raises AgentTowerError: there is no bench to be had, or a process of ours did not start.
    """
    with _stoppable() as stopped:
        try:
            with ExitStack() as stack:
                try:
                    code = _show(stack, keep)
                finally:
                    _ignore_signals()
                    _print("")
                    _say("removing everything that was started")
        except KeyboardInterrupt:
            code = 128 + stopped[0]
    hint = "" if keep else "; 'agenttower demo --keep' stays, to attach to"
    _say(f"nothing is left running{hint}")
    return code


def _show(stack: ExitStack, keep: bool) -> int:
    _say(f"a {TEMPLATE} layout in a bench of its own: one master, two slaves, each in a tmux pane")
    environ = _home(stack)
    paths = default_paths(environ)
    private_directory(paths.logs_dir)
    mock_agent = _copy_mock_agent(paths)
    _write_profiles(paths, mock_agent)
    bench = stack.enter_context(
        open_bench(paths, mock_agent.parent, default_paths().cache_dir, _say)
    )
    environ |= bench.environ
    stack.enter_context(_running_tower(paths, environ))
    _say("front end and worker: 'agenttower up', running in the background")
    _scan(environ)
    launches = [word for pane in LAUNCHES.items() for word in ("--launch", "=".join(pane))]
    code = _agenttower(
        environ, "layout", "create", bench.name, TEMPLATE, "--session", SESSION, *launches
    )
    if code == 0:
        _agenttower(environ, "agent", "list")
        _agenttower(environ, "logs", "show", "s2", "-n", LOG_LINES)
        _agenttower(environ, "route", "add", "test_failed", ROUTE)
        _agenttower(environ, "send", "s1", PROMPT)
        _await_mended(paths)
        _agenttower(environ, "queue", "list")
        _agenttower(environ, "events", "--agent", "s1", "--type", "test_failed", "--type",
                    "test_passed")  # fmt: skip
    if keep:
        _stay(bench, environ)
    return code


def _home(stack: ExitStack) -> dict[str, str]:
    """A home that goes away; its short path leaves room for sockets. Never the user's."""
    root = Path(tempfile.mkdtemp(prefix="at-demo-", dir="/tmp"))
    stack.callback(shutil.rmtree, root)
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)
    }
    for variable in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        environ[variable] = str(root / variable.split("_")[1].lower())
    return environ | {"HOME": str(root), "DOCKER_HOST": f"unix://{root}/no-engine.sock"}


def _copy_mock_agent(paths: Paths) -> Path:
    """Into a directory of its own, which the bench has at the same path."""
    beside_us = Path(__file__).with_name("mock_agent.py")
    in_the_checkout = Path(__file__).parents[2] / "examples" / "mock_agent.py"
    programs = paths.state_dir / "programs"
    private_directory(programs)
    source = beside_us if beside_us.exists() else in_the_checkout
    return Path(shutil.copy(source, programs / "mock_agent.py"))


def _write_profiles(paths: Paths, mock_agent: Path) -> None:
    mock = ["python3", str(mock_agent), "--name", "Mock Agent"]
    replies = [word for reply in _CODER for word in ("--reply", reply)]
    commands = {
        "demo-master": mock,
        "demo-coder": [*mock, *replies],
        "demo-worker": ["sh", "-c", _WORKER],
    }
    private_directory(paths.profiles_dir)
    for name, command in commands.items():
        # JSON is YAML too.
        text = json.dumps({"name": name, "command": command})
        (paths.profiles_dir / f"{name}.yaml").write_text(text)


@contextmanager
def _running_tower(paths: Paths, environ: Mapping[str, str]) -> Iterator[None]:
    """``agenttower up``, from ready to gone."""
    log_file = paths.state_dir / "up.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [*_DIES_WITH_US, *_argv("up")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environ,
            start_new_session=True,  # Ctrl-C is for us, who stop it in order.
        )
    try:
        _await_worker(process, paths, log_file)
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_worker(process: subprocess.Popen[bytes], paths: Paths, log_file: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _worker_is_alive(paths):
        if process.poll() is not None or time.monotonic() > deadline:
            said = "\n".join(log_file.read_text(errors="replace").splitlines()[-20:])
            raise DemoFailed(f"'agenttower up' did not come up; it said:\n{said}")
        time.sleep(0.05)


def _worker_is_alive(paths: Paths) -> bool:
    try:
        return bool(client.call(paths.socket, "status")["worker"]["alive"])
    except (client.DaemonUnreachable, client.RpcError):
        return False


def _scan(environ: Mapping[str, str]) -> None:
    """Have the bench found; says nothing where it was.

    :raises DemoFailed: the scan failed as a whole; with what it said.
    """
    scan = subprocess.run(
        _argv("scan"),
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if scan.returncode not in (0, _SCAN_DEGRADED):
        raise DemoFailed(f"'agenttower scan' failed; it said:\n{scan.stdout.strip()}")


def _agenttower(environ: Mapping[str, str], *words: str) -> int:
    """Run a command as a user would; shows the command and what it says."""
    _print(f"\n$ agenttower {shlex.join(words)}")
    return subprocess.run(_argv(*words), env=environ, stdin=subprocess.DEVNULL).returncode


def _argv(*words: str) -> list[str]:
    return [sys.executable, "-m", "agenttower.cli.main", *words]


def _await_mended(paths: Paths) -> None:
    """Wait until the output of s1 has become a prompt for it, and it has answered that.

    :raises DemoFailed: it did not come to that.
    """
    deadline = time.monotonic() + PROMPTED_SECONDS
    while not client.call(paths.socket, "events.list", {"types": ["test_passed"]})["events"]:
        if time.monotonic() > deadline:
            rows = client.call(paths.socket, "queue.list")["rows"]
            told = [f"{row['excerpt']}: {row['state']}" for row in rows]
            raise DemoFailed(f"s1 did not mend anything in {PROMPTED_SECONDS:g} s: {told}")
        time.sleep(0.05)


def _stay(bench: DemoBench, environ: Mapping[str, str]) -> None:
    _print("\nIt stays until you press Ctrl-C. To use it from another terminal, first run:")
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", *bench.environ):
        _print(f"    export {name}={shlex.quote(environ[name])}")
    while True:
        signal.pause()


@contextmanager
def _stoppable() -> Iterator[list[int]]:
    """SIGTERM and SIGHUP interrupt as Ctrl-C does; the signal that did is put into the list."""
    stopped: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        stopped.append(number)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore_signals() -> None:
    """From here on things are removed, and a second Ctrl-C must not leave half of them."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _say(text: str) -> None:
    _print(f"demo: {text}")


def _print(text: str) -> None:
    print(text, flush=True)
