"""The mock agent of ``examples/`` in a bench, and what it says that it received."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / "examples" / "mock_agent.py"


@dataclass(frozen=True)
class MockAgent:
    """One agent of a test; its files are in a directory that the bench sees at the same path."""

    directory: Path
    name: str = "agent"

    def argv(self, *options: str) -> list[str]:
        """The command that runs it in the bench.

        :param options: as the program's own, e.g. ``--trust`` or ``--reply``, ``TEXT``.
        """
        program = self.directory / PROGRAM.name
        if not program.exists():
            shutil.copy(PROGRAM, program)
        files = ("--record", str(self._record), "--raw", str(self._raw))
        return ["python3", str(program), "--think", "0.1", *files, *options]

    def prompts(self) -> list[bytes]:
        """Every prompt that was submitted, byte for byte and in order."""
        if not self._record.exists():
            return []
        entries = [json.loads(line) for line in self._record.read_bytes().splitlines()]
        prompts = [base64.b64decode(entry["base64"]) for entry in entries]
        assert [entry["n"] for entry in entries] == list(range(1, len(entries) + 1))
        for entry, prompt in zip(entries, prompts, strict=True):
            assert entry["sha256"] == hashlib.sha256(prompt).hexdigest()
        return prompts

    def forget(self) -> None:
        """Take the records away, for the next run of the same agent counts from one."""
        self._record.unlink(missing_ok=True)

    def raw(self) -> bytes:
        """Every byte that it has read from its terminal."""
        return self._raw.read_bytes() if self._raw.exists() else b""

    @property
    def _record(self) -> Path:
        return self.directory / f"{self.name}.prompts"

    @property
    def _raw(self) -> Path:
        return self.directory / f"{self.name}.raw"
