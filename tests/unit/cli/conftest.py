from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from agenttower.cli.main import execute
from tests.support.state_home import StateHome
from tests.unit.cli.fake_daemon import FakeDaemon


@pytest.fixture
def home(state_home: StateHome, monkeypatch: pytest.MonkeyPatch) -> StateHome:
    """A fresh home as this process's own, and no setting of the person who runs the tests."""
    for name in {*os.environ} - {*state_home.environ} | {"NO_COLOR"}:
        monkeypatch.delenv(name, raising=False)
    for name, value in state_home.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TERM", "xterm-256color")
    return state_home


@pytest.fixture
def daemon(home: StateHome, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDaemon]:
    fake = FakeDaemon(home.root / "sock")
    monkeypatch.setenv("AGENTTOWER_SOCKET", str(fake.path))
    try:
        yield fake
    finally:
        fake.close()


@dataclass(frozen=True)
class Ended:
    """How a command line ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class Cli:
    """Runs command lines in this process (stdout is no terminal), or in one of their own."""

    argv = (sys.executable, "-m", "agenttower.cli.main")

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Ended:
        self._capsys.readouterr()
        code = execute(arguments)
        captured = self._capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """In a process of its own, with pipes."""
        return subprocess.Popen(
            [*self.argv, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def on_terminal(self, *arguments: str, columns: int = 160, typed: str = "") -> Ended:
        """With a terminal as stdin, stdout and stderr; ``err`` stays empty."""
        master, slave = pty.openpty()
        try:
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
            process = subprocess.Popen(
                [*self.argv, *arguments], stdin=slave, stdout=slave, stderr=slave
            )
        finally:
            os.close(slave)
        try:
            os.write(master, typed.encode())
            shown = b"".join(_chunks(master))
        finally:
            os.close(master)
        return Ended(process.wait(30), shown.decode().replace("\r\n", "\n"), "")


def _chunks(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # EIO: nobody holds the other end any more
            return
        if not chunk:
            return
        yield chunk


@pytest.fixture
def cli(home: StateHome, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(capsys)
