"""A home of its own for each test, so that no test meets a user's files or another test's."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agenttower.paths import Paths, default_paths

HOMES = "/tmp/at-"
"""How the path of every home begins."""

_NOT_INHERITED = ("AGENTTOWER_", "XDG_", "TMUX", "DOCKER_")


@dataclass(frozen=True)
class StateHome:
    """A fresh home directory with XDG directories, and the environment that points there."""

    root: Path
    environ: dict[str, str]

    @property
    def paths(self) -> Paths:
        """Where AgentTower keeps its files here. Not made yet."""
        return default_paths(self.environ)

    def write_config(self, text: str) -> None:
        """Write ``config.toml``, with the modes that AgentTower asks for."""
        self.paths.config_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.paths.config_file.write_text(text)
        self.paths.config_file.chmod(0o600)


@contextmanager
def make_state_home() -> Iterator[StateHome]:
    """A home below ``/tmp``, whose short path leaves room for sockets (107 bytes)."""
    root = Path(tempfile.mkdtemp(prefix=HOMES))
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)
    }
    environ |= {
        "HOME": str(root),
        "XDG_CONFIG_HOME": str(root / "config"),
        "XDG_STATE_HOME": str(root / "state"),
        "XDG_CACHE_HOME": str(root / "cache"),
        # A tmux server of the local bench must not meet the user's.
        "TMUX_TMPDIR": str(root),
        "DOCKER_HOST": f"unix://{root}/no-engine.sock",
    }
    for name in ("config", "state", "cache"):
        (root / name).mkdir(mode=0o700)
    try:
        yield StateHome(root, environ)
    finally:
        shutil.rmtree(root)
