"""Asking systemd: the one place that runs ``systemctl``."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass

from agenttower.errors import ServiceRefused

TIMEOUT_S = 120.0
"""Longer than a worker may take to stop."""

_SHOWN = ("LoadState", "UnitFileState", "ActiveState", "SubState", "MainPID", "NRestarts", "Result")


@dataclass(frozen=True, slots=True)
class UnitState:
    """What systemd says of one unit, in its own words; empty where it says nothing."""

    enabled: str
    active: str
    sub_state: str
    main_pid: int | None
    restarts: int
    result: str


class Systemctl:
    """``systemctl``, or ``systemctl --user``."""

    def __init__(self, *, system: bool) -> None:
        self._argv = ["systemctl"] if system else ["systemctl", "--user"]

    def __str__(self) -> str:
        return " ".join(self._argv)

    def __call__(self, *arguments: str) -> str:
        """Run one command; returns what it printed.

        :raises ServiceRefused: in systemctl's words, or because there is no systemd.
        """
        argv = [*self._argv, "--no-pager", *arguments]
        try:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
                env={**os.environ, "LC_ALL": "C"},
            )
        except FileNotFoundError as error:
            raise ServiceRefused(f"there is no systemctl here; {_OTHERWISE}") from error
        except subprocess.TimeoutExpired as error:
            raise ServiceRefused(
                f"'{' '.join(argv)}' did not end within {TIMEOUT_S:g} s; look at 'systemctl "
                "list-jobs', then try again"
            ) from error
        if done.returncode != 0:
            said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
            raise ServiceRefused(f"'{' '.join(argv)}' failed: {said}")
        return done.stdout

    def require(self) -> None:
        """See that there is a manager to talk to, before anything is changed.

        :raises ServiceRefused: there is none; says how to go on.
        """
        try:
            self("show", "--property=Version")
        except ServiceRefused as error:
            raise ServiceRefused(
                f"{error.message}; for user units log in as that user (sudo and su give no "
                f"session; XDG_RUNTIME_DIR names it). {_OTHERWISE[0].upper()}{_OTHERWISE[1:]}"
            ) from error

    def state(self, unit: str) -> UnitState:
        """How a unit is. :raises ServiceRefused: systemd cannot be asked."""
        text = self("show", f"--property={','.join(_SHOWN)}", unit)
        told = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        pid = int(told.get("MainPID") or 0)
        return UnitState(
            enabled=told.get("UnitFileState") or "-",
            active=told.get("ActiveState") or "-",
            sub_state=told.get("SubState") or "-",
            main_pid=pid or None,
            restarts=int(told.get("NRestarts") or 0),
            result=told.get("Result") or "-",
        )


_OTHERWISE = "without systemd, run 'agenttower up', or the two lines of the Procfile"
