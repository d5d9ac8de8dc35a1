"""Stop a container's processes in their tracks without the engine knowing.

``docker pause`` is not used: an exec that starts meanwhile can lock up the engine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from docker.models.containers import Container

from tests.support.waiting import wait_until

_V1_ROOT = Path("/sys/fs/cgroup/freezer")
_V2_ROOT = Path("/sys/fs/cgroup")


def freeze(container: Container) -> None:
    """Stop every process of the container, and return when all have stopped."""
    _set(container, frozen=True)


def thaw(container: Container) -> None:
    """Let every process of the container go on."""
    _set(container, frozen=False)


@contextmanager
def frozen(container: Container) -> Iterator[None]:
    """The container is frozen inside the context."""
    try:
        freeze(container)
        yield
    finally:
        thaw(container)


def _set(container: Container, *, frozen: bool) -> None:
    if _V1_ROOT.is_dir():
        file = _cgroup(_V1_ROOT, str(container.id)) / "freezer.state"
        wanted = "FROZEN" if frozen else "THAWED"
        file.write_text(wanted)
        wait_until(lambda: file.read_text().strip() == wanted, 10, f"{file} to be {wanted}")
    else:
        group = _cgroup(_V2_ROOT, str(container.id))
        (group / "cgroup.freeze").write_text(str(int(frozen)))
        line = f"frozen {int(frozen)}"
        events = group / "cgroup.events"
        wait_until(lambda: line in events.read_text(), 10, f"{events} to say {line!r}")


def _cgroup(root: Path, container_id: str) -> Path:
    for path, names, _ in os.walk(root):
        for name in names:
            if container_id in name:
                return Path(path, name)
    raise AssertionError(f"no cgroup of container {container_id[:12]} below {root}")
