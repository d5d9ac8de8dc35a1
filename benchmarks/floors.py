"""The same three panes without AgentTower: what a layout costs by other ways into a container."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from docker.models.containers import Container

PANES = ("m1", "s1", "s2")
LAUNCH_WINDOW_S = 1.0

_TMUXP_WORKSPACE = """\
session_name: {session}
windows:
  - layout: tiled
    panes: [blank, blank, blank]
"""


def by_single_execs(bench: Container, session: str) -> float:
    """Seconds for the layout where every tmux command is an exec of its own."""
    start = time.perf_counter()
    for label in PANES:
        for command in _creating(session, label):
            _exec(bench, command)
    time.sleep(LAUNCH_WINDOW_S)
    for label in PANES:
        for command in _finishing(session, label):
            _exec(bench, command)
    return time.perf_counter() - start


def by_batched_execs(bench: Container, session: str) -> float:
    """Seconds for the layout with one exec before the launch window and one after it."""
    start = time.perf_counter()
    _exec(bench, _joined([c for label in PANES for c in _creating(session, label)]))
    time.sleep(LAUNCH_WINDOW_S)
    _exec(bench, _joined([c for label in PANES for c in _finishing(session, label)]))
    return time.perf_counter() - start


def by_tmuxp(bench: Container, session: str, engine_url: str) -> float:
    """Seconds until ``tmuxp load -d`` has made three panes in the container.

    No identity, no log, no look at whether the programs live, no launch window.

    :raises FileNotFoundError: there is no ``docker`` command for tmuxp to go through.
    """
    docker = shutil.which("docker")
    if docker is None:
        raise FileNotFoundError("no 'docker' command for tmuxp to go through")
    with TemporaryDirectory() as folder:
        tmux = Path(folder, "tmux")
        tmux.write_text(f'#!/bin/sh\nexec "{docker}" exec -i {bench.id} tmux -u "$@"\n')
        tmux.chmod(0o755)
        workspace = Path(folder, "layout.yaml")
        workspace.write_text(_TMUXP_WORKSPACE.format(session=session))
        environ = os.environ | {
            "PATH": f"{folder}:{os.environ['PATH']}",
            "DOCKER_HOST": engine_url,
            "HOME": folder,
        }
        environ.pop("TMUX", None)
        start = time.perf_counter()
        subprocess.run(
            [Path(sys.executable).with_name("tmuxp"), "load", "-d", "-y", str(workspace)],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )
        return time.perf_counter() - start


def forget(bench: Container, session: str) -> None:
    """Kill a session that one of these has made."""
    _exec(bench, ["kill-session", "-t", f"={session}"])


def _creating(session: str, label: str) -> list[list[str]]:
    """A pane with identity, pending title, and log."""
    target = f"={session}:"
    split = ["split-window", "-t", target]
    first = ["new-session", "-d", "-s", session, "-x", "200", "-y", "50"]
    return [
        first if label == PANES[0] else split,
        ["set-option", "-p", "-t", target, "@pane", f"{session}-{label}"],
        ["set-option", "-p", "-t", target, "remain-on-exit", "on"],
        ["select-pane", "-t", target, "-T", f"@MANAGED:{label}"],
        ["pipe-pane", "-t", target, f"exec cat >>/tmp/{session}-{label}.log"],
        ["select-layout", "-t", target, "tiled"],
    ]


def _finishing(session: str, label: str) -> list[list[str]]:
    """See that the pane lives, and give it its title."""
    pane = f"={session}:.{PANES.index(label)}"
    return [
        ["list-panes", "-t", f"={session}:", "-F", "#{pane_id} #{@pane} #{pane_dead}"],
        ["select-pane", "-t", pane, "-T", label],
    ]


def _joined(commands: Sequence[Sequence[str]]) -> list[str]:
    words: list[str] = []
    for command in commands:
        words += [";", *command] if words else command
    return words


def _exec(bench: Container, command: Sequence[str]) -> None:
    done = bench.exec_run(["tmux", "-u", *command])
    assert done.exit_code == 0, (command, done.output)
