"""What a command line needs to talk to the daemon. Standard library only, Python 3.9 and newer."""

from __future__ import annotations

from agenttower.client.connection import DEFAULT_TIMEOUT_S, call
from agenttower.client.errors import DaemonUnreachable, RpcError
from agenttower.client.socket_path import (
    SocketChoice,
    SocketOverrideInvalid,
    choose_socket,
    resolve_socket,
)

__all__ = [
    "DEFAULT_TIMEOUT_S",
    "DaemonUnreachable",
    "RpcError",
    "SocketChoice",
    "SocketOverrideInvalid",
    "call",
    "choose_socket",
    "resolve_socket",
]
