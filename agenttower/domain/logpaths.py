"""Which paths a log may have, and which mount shows a path to the bench (legacy surfaces part 1,
sections 9.1 and 9.2). Pure: text in, text out; nothing here touches a file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_PATH = 4096
MAX_MOUNTS = 256

SPECIAL = ("/proc", "/sys", "/dev", "/run")
"""No log is ever below one of these."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_EXPANDED = re.compile(r"[#%]")


@dataclass(frozen=True, slots=True)
class MountedAt:
    """A mount as far as it matters here. ``type`` is the engine's word, e.g. ``bind``."""

    source: str
    target: str
    type: str
    rw: bool


def fault_of(path: str) -> str | None:
    """Why a path that somebody supplied cannot be a log's, or ``None``."""
    if not path.startswith("/"):
        return "must begin with '/'"
    if len(path) > MAX_PATH:
        return f"must have at most {MAX_PATH} characters"
    if _CONTROL.search(path):
        return "must not hold control characters"
    try:
        path.encode()
    except UnicodeEncodeError:
        return "must be text that can be written as UTF-8"
    if ".." in path.split("/"):
        return "must not have a '..' in it"
    if path.endswith(("/", "/.")):
        return "must name a file, not a directory"
    if _EXPANDED.search(path):
        return "must not hold '#' or '%', which tmux would expand"
    return fault_of_place(path)


def fault_of_place(path: str) -> str | None:
    """Why no log may be at this place of a file system, or ``None``."""
    for root in SPECIAL:
        if is_under(path, root):
            return f"must not be under {root}"
    return None


def is_under(path: str, root: str) -> bool:
    """Whether ``path`` is ``root`` or below it, by whole names."""
    names, below = parts_of(path), parts_of(root)
    return names[: len(below)] == below


def parts_of(path: str) -> list[str]:
    """The names that an absolute path is made of."""
    return [name for name in path.split("/") if name not in ("", ".")]


def mount_of(mounts: Sequence[MountedAt], path: str) -> MountedAt | None:
    """The mount that a path of the bench lies on: the longest target that holds it.

    Mounts of every type count, since a tmpfs hides what is mounted around it. Of two at one target
    the later was mounted over the earlier.
    """
    best: MountedAt | None = None
    for mount in mounts:
        if not mount.target.startswith("/") or not is_under(path, mount.target):
            continue
        if best is None or len(parts_of(mount.target)) >= len(parts_of(best.target)):
            best = mount
    return best


def shows_the_host(mount: MountedAt) -> bool:
    """Whether a mount can show files of the host at all."""
    return mount.type in ("bind", "volume") and mount.source.startswith("/")
