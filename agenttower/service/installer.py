"""Putting unit files in place, and taking them away; never anybody else's."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agenttower.errors import ServiceRefused
from agenttower.private import private_directory
from agenttower.service.plan import SERVE, TMUX, UNITS, WORKER
from agenttower.service.systemctl import Systemctl, UnitState

MARK = "# Written by 'agenttower service install'"
SYSTEM_UNITS = Path("/etc/systemd/system")

FileState = Literal["current", "differs", "foreign", "missing"]


@dataclass(frozen=True, slots=True)
class UnitReport:
    """One unit: its file against what would be written now, and what systemd says of it."""

    unit: str
    path: Path
    file: FileState
    state: UnitState


class Installer:
    """Unit files in one directory, and the manager that reads them."""

    def __init__(self, directory: Path, systemctl: Systemctl) -> None:
        self._directory = directory
        self._systemctl = systemctl

    def path(self, unit: str) -> Path:
        """Where the unit's file is, or would be."""
        return self._directory / unit

    def install(
        self, wanted: Mapping[str, str], *, start: bool, state_dir: Path | None = None
    ) -> list[str]:
        """Write what differs, let systemd read it, and enable it; returns the units written.

        :param state_dir: made where a unit needs it before the front end would make it.
        :param start: start them too; a front end or worker that runs is started anew, the tmux
            server is left alone, because its panes would end.
        :raises ServiceRefused: a file of that name is not ours, or systemd refused; a second try
            goes on where this one stopped.
        :raises StateRefused: the state directory cannot be used as it is.
        """
        self._systemctl.require()
        foreign = [unit for unit in wanted if self.file_state(unit, wanted) == "foreign"]
        if foreign:
            raise ServiceRefused(
                f"{self.path(foreign[0])} was not written by AgentTower; "
                "move it away, then install again"
            )
        if state_dir is not None:
            private_directory(state_dir)
        written = [unit for unit in wanted if self.file_state(unit, wanted) != "current"]
        for unit in written:
            self._write(self.path(unit), wanted[unit])
        self._systemctl("daemon-reload")
        self._systemctl("enable", *wanted)
        if start:
            if TMUX in wanted:
                self._systemctl("start", TMUX)
            self._systemctl("restart", SERVE, WORKER)
        return written

    def uninstall(self) -> list[str]:
        """Stop front end and worker and take our units away; returns those that were there.

        The tmux server of the local bench goes on with its panes until somebody ends it.
        """
        self._systemctl.require()
        ours = [unit for unit in UNITS if self.file_state(unit, {}) == "differs"]
        stopped = [unit for unit in ours if unit != TMUX]
        if stopped:
            self._systemctl("disable", "--now", *reversed(stopped))
        if TMUX in ours:
            self._systemctl("disable", TMUX)
        for unit in ours:
            self.path(unit).unlink()
        self._systemctl("daemon-reload")
        return ours

    def report(self, wanted: Mapping[str, str]) -> list[UnitReport]:
        """Every unit that is wanted or there. :raises ServiceRefused: systemd cannot be asked."""
        self._systemctl.require()
        return [
            UnitReport(unit, self.path(unit), file, self._systemctl.state(unit))
            for unit in UNITS
            if (file := self.file_state(unit, wanted)) != "missing" or unit in wanted
        ]

    def file_state(self, unit: str, wanted: Mapping[str, str]) -> FileState:
        """What stands in the unit's place; a link (``systemctl mask`` makes one) is foreign."""
        path = self.path(unit)
        if path.is_symlink():
            return "foreign"
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return "missing"
        except (OSError, UnicodeDecodeError):
            return "foreign"
        if not text.startswith(MARK):
            return "foreign"
        return "current" if text == wanted.get(unit) else "differs"

    def _write(self, path: Path, text: str) -> None:
        """Whole or not at all: systemd may read at any time."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        except OSError as error:
            raise ServiceRefused(
                f"{path} cannot be written: {error.strerror}; "
                "for a machine-wide installation run this as root"
            ) from error
        try:
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                file.write(text)
                os.fchmod(file.fileno(), 0o644)
            os.replace(name, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(name)
            raise
