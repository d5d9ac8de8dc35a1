"""The command line as a process of its own, against a real daemon."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from tests.support.tower import Tower

CLI = (sys.executable, "-m", "agenttower.cli.main")
Run = Callable[..., SimpleNamespace]


@pytest.fixture
def agenttower(tower: Tower) -> Run:
    """Runs a command line, its stdout a pipe, and insists on its exit code."""

    def run(*arguments: str, code: int = 0) -> SimpleNamespace:
        ended = subprocess.run(
            [*CLI, *arguments],
            env=tower.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == code, ended.stdout + ended.stderr
        return SimpleNamespace(out=ended.stdout, err=ended.stderr, lines=ended.stdout.splitlines())

    return run
