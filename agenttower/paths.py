"""Where AgentTower keeps its files. Standard library only, because the bench client needs it.

The locations follow the XDG base directory rules, each with ``opensoft/agenttower`` appended
(legacy surfaces part 1, section 1).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

VENDOR_DIR = Path("opensoft/agenttower")
BENCH_SOCKET = Path("/run/agenttower/agenttowerd.sock")
SOCKET_VARIABLE = "AGENTTOWER_SOCKET"


@dataclass(frozen=True)  # no slots: the bench client runs on Python 3.9 too
class Paths:
    """The three base directories and every file AgentTower makes in them."""

    config_dir: Path
    state_dir: Path
    cache_dir: Path

    @property
    def config_file(self) -> Path:
        return self.config_dir / "config.toml"

    @property
    def templates_dir(self) -> Path:
        """Operator templates (FR-024); never created by the program."""
        return self.config_dir / "managed_templates"

    @property
    def profiles_dir(self) -> Path:
        """Operator launch profiles (FR-024); never created by the program."""
        return self.config_dir / "launch_commands"

    @property
    def rules_dir(self) -> Path:
        """Operator rules of the classifier; never created by the program."""
        return self.config_dir / "rules"

    @property
    def database(self) -> Path:
        return self.state_dir / "agenttower.sqlite3"

    @property
    def events_file(self) -> Path:
        return self.state_dir / "events.jsonl"

    @property
    def logs_dir(self) -> Path:
        return self.state_dir / "logs"

    @property
    def bells_dir(self) -> Path:
        """Wake-up sockets of the processes that listen (design.md section 2, point 5)."""
        return self.state_dir / "bells"

    @property
    def bench_locks_dir(self) -> Path:
        """Locks that keep a bench's tmux quiet while a client is opened (bench/opening_lock.py)."""
        return self.state_dir / "bench-locks"

    @property
    def socket(self) -> Path:
        return self.state_dir / "agenttowerd.sock"

    @property
    def lock_file(self) -> Path:
        return self.state_dir / "agenttowerd.lock"

    @property
    def pid_file(self) -> Path:
        return self.state_dir / "agenttowerd.pid"

    @property
    def worker_lock_file(self) -> Path:
        return self.state_dir / "worker.lock"

    @property
    def local_tmux_socket(self) -> Path:
        """tmux of the local bench."""
        return self.state_dir / "local-tmux.sock"

    @property
    def backups_dir(self) -> Path:
        """Where backups of the database go unless somebody says otherwise."""
        return self.state_dir / "backups"


def default_paths(environ: Mapping[str, str] = os.environ) -> Paths:
    """This user's directories; an XDG variable that is not absolute is ignored, as XDG says."""
    home = Path(environ.get("HOME") or os.path.expanduser("~"))

    def base(variable: str, fallback: str) -> Path:
        value = environ.get(variable, "")
        return (Path(value) if value.startswith("/") else home / fallback) / VENDOR_DIR

    return Paths(
        config_dir=base("XDG_CONFIG_HOME", ".config"),
        state_dir=base("XDG_STATE_HOME", ".local/state"),
        cache_dir=base("XDG_CACHE_HOME", ".cache"),
    )
