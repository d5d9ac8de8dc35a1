"""Real ``serve`` and ``worker`` processes for a test."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support.processes import processes_with
from tests.support.state_home import StateHome
from tests.support.waiting import wait_until

ROLES = ("serve", "worker")
START_SECONDS = 20.0
STOP_SECONDS = 20.0


class Tower:
    """Both processes of AgentTower, in a home of their own."""

    def __init__(self, home: StateHome) -> None:
        self.home = home
        self.environ = dict(home.environ)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._said_before: dict[str, int] = {}

    @property
    def socket_path(self) -> Path:
        return self.home.paths.socket

    def start(self, *roles: str, environ: dict[str, str] | None = None) -> None:
        """Start the processes of ``roles`` (both by default), and wait until they are ready.

        :param environ: set on top of ``self.environ`` for these processes only.
        """
        for role in roles or ROLES:
            running = self.processes.get(role)
            assert running is None or running.poll() is not None, f"{role} is running already"
            with self._log(role).open("ab") as log:
                self._said_before[role] = log.tell()
                self.processes[role] = subprocess.Popen(
                    [sys.executable, "-m", "agenttower.cli.main", role],
                    env=self.environ | (environ or {}),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            wait_until(lambda role=role: self._ready(role), START_SECONDS, f"{role} to be ready")

    def call(
        self, method: str, params: dict[str, Any] | None = None, timeout_s: float = 30.0
    ) -> dict[str, Any]:
        """One request on a connection of its own; the whole reply."""
        request = {"method": method} | ({} if params is None else {"params": params})
        return self.call_raw(json.dumps(request).encode(), timeout_s)

    def call_raw(self, line: bytes, timeout_s: float = 30.0) -> dict[str, Any]:
        """As :meth:`call`, for any line, without its newline."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout_s)
            connection.connect(str(self.socket_path))
            connection.sendall(line + b"\n")
            with connection.makefile("rb") as lines:
                reply = json.loads(lines.readline())
        assert isinstance(reply, dict)
        return reply

    def result(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """As :meth:`call`, for a request that must be answered ``ok``; its ``result``."""
        reply = self.call(method, params)
        assert reply.get("ok") is True, f"{method} was refused: {reply}"
        return reply["result"]

    def kill9(self, role: str) -> None:
        """SIGKILL one process, and return when it is gone."""
        self.processes[role].kill()
        self.processes.pop(role).wait()

    def wait_killed(self, role: str, deadline_s: float = 30.0) -> None:
        """Wait until a process has died by SIGKILL, e.g. at an armed crash point."""
        process = self.processes[role]
        wait_until(lambda: process.poll() is not None, deadline_s, f"{role} to die")
        assert process.returncode == -signal.SIGKILL, self.logs()
        del self.processes[role]

    def stop(self, *roles: str) -> None:
        """SIGTERM, and wait: worker first, so that it can still be asked about."""
        late = []
        for role in roles or reversed(ROLES):
            process = self.processes.pop(role, None)
            if process is None:
                continue
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                late.append(role)
        assert not late, f"{', '.join(late)} did not stop in {STOP_SECONDS:g} s:\n{self.logs()}"

    def close(self) -> None:
        """Stop everything that was started in this home, and insist that nothing is left."""
        try:
            self.stop()
        finally:
            # A tmux server of the local bench outlives a worker by design.
            for pid, name in self._living().items():
                if name == "tmux: server":
                    _kill(pid)
            try:
                wait_until(
                    lambda: not self._living(),
                    5,
                    "every process of this home to end",
                )
            except AssertionError:
                left = self._living()
                for pid in left:
                    _kill(pid)
                raise AssertionError(f"still running after stop: {left}") from None

    def _living(self) -> dict[int, str]:
        return processes_with("HOME", str(self.home.root))

    def logs(self) -> str:
        """All that the processes have said."""
        return "\n".join(
            f"--- {role}\n{self._log(role).read_text(errors='replace')}"
            for role in ROLES
            if self._log(role).exists()
        )

    def _log(self, role: str) -> Path:
        return self.home.root / f"{role}.log"

    def _ready(self, role: str) -> bool:
        code = self.processes[role].poll()
        assert code is None, f"{role} ended with {code}:\n{self.logs()}"
        if role == "worker":
            return b"worker ready" in self._log(role).read_bytes()[self._said_before[role] :]
        with suppress(OSError, ValueError):
            return self.call("ping").get("ok") is True
        return False


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
