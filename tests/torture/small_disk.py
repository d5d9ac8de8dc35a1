"""The state directory on a file system so small that it can be filled."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.state_home import StateHome

SIZE = "32m"


class SmallDisk:
    """A file system that can be filled to the last byte."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def full(self) -> Iterator[None]:
        """No space is left inside the context."""
        filler = self._root / "filler"
        try:
            with filler.open("wb", buffering=0) as file:
                _fill(file.fileno())
                yield
        finally:
            filler.unlink(missing_ok=True)


def _fill(fd: int) -> None:
    for size in (1 << 20, 1 << 12, 1):
        try:
            while True:
                os.write(fd, b"\0" * size)
        except OSError:
            continue


@contextmanager
def small_disk(home: StateHome) -> Iterator[SmallDisk | None]:
    """Put the state of ``home`` on a small disk; ``None`` where mounting is not possible.

    The log directory stays on the disk below, where every engine sees it, whatever mount namespace
    it lives in.
    """
    root = Path(home.environ["XDG_STATE_HOME"])
    logs, kept = home.paths.logs_dir, home.root / "logs-below"
    _make(logs)
    kept.mkdir(0o700)
    with ExitStack() as stack:
        mounted = (
            _mount(stack, kept, "--bind", str(logs))
            and _mount(stack, root, "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "tmpfs")
            and _mount(stack, _make(logs), "--bind", str(kept))
        )
        if not mounted:
            stack.close()
        yield SmallDisk(root) if mounted else None


def _mount(stack: ExitStack, target: Path, *what: str) -> bool:
    done = subprocess.run(["mount", *what, str(target)], capture_output=True, check=False)
    if done.returncode == 0:
        stack.callback(subprocess.run, ["umount", "--lazy", str(target)], check=True)
    return done.returncode == 0


def _make(path: Path) -> Path:
    for directory in (*reversed(path.parents), path):
        if not directory.exists():
            directory.mkdir(0o700)
    return path
