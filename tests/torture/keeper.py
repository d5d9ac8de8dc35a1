"""What keeps both processes running, as a supervisor does, and times how fast they go on."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from contextlib import closing, suppress

from tests.support.tower import Tower
from tests.torture.tally import Tally

STOP_S = 45.0
"""A step may take its 30 s to end, and what it ends with may wait for the database."""
START_S = 60.0
CLAIM_S = 5.0


class Keeper:
    """Used by one thread at a time."""

    def __init__(self, tower: Tower, tally: Tally) -> None:
        self._tower = tower
        self._tally = tally

    def kill(self, *roles: str) -> None:
        """SIGKILL, start again, and find out when a step is claimed after that."""
        troubles = self._tally.storage_troubles
        had_work = "worker" in roles and self._tally.storage_is_whole and self._has_work()
        killed_at = time.time()
        for role in roles:
            self._tower.kill9(role)
            self._tally.kills[role] += 1
        for role in roles:
            self.start(role)
        if had_work:
            claimed_at = self._first_claim_after(killed_at)
            if claimed_at is not None and troubles == self._tally.storage_troubles:
                self._tally.resumed_s.append(claimed_at - killed_at)

    def terminate(self, role: str) -> None:
        """SIGTERM, and start again once it has gone."""
        process = self._tower.processes.pop(role)
        process.terminate()
        try:
            code = process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            self._tally.complain([f"{role} did not stop within {STOP_S:g} s of SIGTERM"])
        else:
            if code != 0 and self._tally.storage_is_trusted:
                self._tally.complain([f"{role} ended with {code} after SIGTERM"])
        self.start(role)

    def hold(self, role: str, seconds: float) -> None:
        """SIGSTOP for a while."""
        pid = self._tower.processes[role].pid
        os.kill(pid, signal.SIGSTOP)
        try:
            self._tally.stop.wait(seconds)
        finally:
            os.kill(pid, signal.SIGCONT)

    def start(self, role: str) -> None:
        """Start a process; one that refuses, as it may while it cannot write, again and again."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            try:
                self._tower.start(role)
                return
            except AssertionError:
                process = self._tower.processes[role]
                if process.poll() is None:
                    break
                self._tally.refused_starts += 1
                if self._tally.storage_is_trusted:
                    self._tally.complain([f"{role} ended with {process.returncode} at its start"])
                    return
        self._tally.complain([f"{role} was not ready in time"])

    def died(self) -> list[str]:
        """Processes that have ended without being told to."""
        return [
            f"{role} ended by itself with {process.returncode}"
            for role, process in self._tower.processes.items()
            if process.poll() is not None
        ]

    def _has_work(self) -> bool:
        return bool(
            self._ask(
                "SELECT 1 FROM step JOIN operation ON operation.id = operation_id"
                " WHERE operation.state = 'running' AND"
                " (status = 'running' OR status = 'pending' AND not_before <= ?) LIMIT 1",
                time.time(),
            )
        )

    def _first_claim_after(self, moment: float) -> float | None:
        deadline = time.monotonic() + CLAIM_S
        while time.monotonic() < deadline:
            found = self._ask("SELECT MIN(started_at) FROM step WHERE started_at > ?", moment)
            if found is not None:
                return found / 1e6
            self._tally.stop.wait(0.01)
        return None

    def _ask(self, query: str, moment: float) -> float | None:
        uri = f"file:{self._tower.home.paths.database}?mode=ro"
        with (
            suppress(sqlite3.OperationalError),
            closing(sqlite3.connect(uri, uri=True, timeout=1)) as database,
        ):
            row = database.execute(query, (int(moment * 1e6),)).fetchone()
            return None if row is None else row[0]
        return None
