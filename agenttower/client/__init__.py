"""A client of the daemon: a library, and the program that runs in benches.

Standard library only, Python 3.9 and newer. Begin with :class:`Client`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agenttower.client.connection import DEFAULT_TIMEOUT_S, call
from agenttower.client.errors import (
    DaemonUnreachable,
    RpcError,
    SocketMissing,
    SocketPermissionDenied,
    WaitTimedOut,
)
from agenttower.client.socket_path import (
    SocketChoice,
    SocketOverrideInvalid,
    choose_socket,
    resolve_socket,
)
from agenttower.errors import AgentTowerError

if TYPE_CHECKING:
    from agenttower.client.tower import Client

__all__ = [
    "DEFAULT_TIMEOUT_S",
    "AgentTowerError",
    "Client",
    "DaemonUnreachable",
    "RpcError",
    "SocketChoice",
    "SocketMissing",
    "SocketOverrideInvalid",
    "SocketPermissionDenied",
    "WaitTimedOut",
    "call",
    "choose_socket",
    "resolve_socket",
]


def __getattr__(name: str) -> Any:
    """``Client`` when it is wanted: commands that ask one thing start without it."""
    if name == "Client":
        from agenttower.client.tower import Client

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
