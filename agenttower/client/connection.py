"""One request, one answer. Standard library only, Python 3.9 and newer: it also runs in benches."""

from __future__ import annotations

import errno
import json
import os
import socket
import stat
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agenttower.client.errors import DaemonUnreachable, unreachable
from agenttower.client.refusals import refusal

RESPONSE_LIMIT = 8 * 1024 * 1024
"""Bytes of an answer that are read at most."""

DEFAULT_TIMEOUT_S = 30.0
_CHUNK = 65536
_START_IT = "start it with 'agenttower up' (or 'agenttower serve' and 'agenttower worker')"


def call(
    socket_path: str | os.PathLike[str],
    method: str,
    params: Mapping[str, Any] | None = None,
    timeout: float = DEFAULT_TIMEOUT_S,
) -> dict[str, Any]:
    """Ask the daemon one thing.

    :param socket_path: of any length; see :func:`agenttower.client.resolve_socket`.
    :param timeout: seconds for the whole exchange.
    :returns: the ``result`` of the answer.
    :raises RpcError: the daemon refused; the subclass for its code (:mod:`.refusals`).
    :raises DaemonUnreachable: no daemon, no answer in time, or no sensible one.
    """
    return result_of(exchange(socket_path, method, params, timeout))


def result_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The ``result`` of an answer. :raises RpcError: it is a refusal."""
    if answer["ok"] is True:
        result: dict[str, Any] = answer["result"]
        return result
    error = answer["error"]
    raise refusal(error["code"], error["message"], error.get("details"))


def exchange(
    socket_path: str | os.PathLike[str],
    method: str,
    params: Mapping[str, Any] | None = None,
    timeout: float = DEFAULT_TIMEOUT_S,
) -> dict[str, Any]:
    """As :func:`call`, for the whole answer: what stands beside ``result`` and ``error`` too.

    :returns: an object whose ``ok`` is true and ``result`` an object, or whose ``error`` has a
        ``code``, a ``message``, and ``details`` that are an object where they are there.
    :raises DaemonUnreachable: no daemon, no answer in time, or no sensible one.
    """
    path = Path(socket_path)
    request = json.dumps({"method": method, "params": dict(params or {})}).encode() + b"\n"
    deadline = time.monotonic() + timeout
    with connected(path, deadline) as connection:
        return envelope(ask(connection, request, path, deadline), path)


def connected(path: Path, deadline: float) -> socket.socket:
    """A new connection; its owner closes it.

    :param deadline: ``time.monotonic()`` seconds.
    :raises DaemonUnreachable: nobody takes it.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _connect(connection, path, deadline)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(connection: socket.socket, path: Path, deadline: float) -> None:
    try:
        target = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        raise _unreachable(path, error) from error
    try:
        if not stat.S_ISSOCK(os.fstat(target).st_mode):
            raise unreachable(
                f"{path} is not a Unix socket; name the daemon's with AGENTTOWER_SOCKET",
                "socket_not_unix",
            )
        # A full queue makes connect wait, and this is the only way to bound that wait.
        _bound_connect(connection, deadline)
        # An address holds 107 bytes; the descriptor's name always fits.
        connection.connect(f"/proc/self/fd/{target}")
    except OSError as error:
        raise _unreachable(path, error) from error
    finally:
        os.close(target)


def _bound_connect(connection: socket.socket, deadline: float) -> None:
    left = max(0.001, deadline - time.monotonic())
    timeval = struct.pack("ll", int(left), int(left % 1 * 1_000_000))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)


def ask(connection: socket.socket, request: bytes, path: Path, deadline: float) -> bytes:
    """Send ``request``, its newline included, and read a line, which is given without.

    :raises DaemonUnreachable: there is no whole line by the deadline.
    """
    try:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        connection.sendall(request)
    except socket.timeout as error:  # noqa: UP041 - not yet TimeoutError in 3.9
        raise _no_answer(path) from error
    except OSError:
        pass  # a daemon that refuses a request early has written why
    answer = bytearray()
    while True:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            chunk = connection.recv(_CHUNK)
        except socket.timeout as error:  # noqa: UP041 - not yet TimeoutError in 3.9
            raise _no_answer(path) from error
        except OSError:
            chunk = b""
        answer += chunk
        end = answer.find(b"\n", len(answer) - len(chunk))
        if end >= 0:
            return bytes(answer[:end])
        if not chunk:
            raise unreachable(
                f"the daemon at {path} closed the connection without an answer; "
                "look at its log, and see 'agenttower status'",
                "protocol_error",
            )
        if len(answer) > RESPONSE_LIMIT:
            raise unreachable(
                f"the answer of the daemon at {path} is longer than {RESPONSE_LIMIT} bytes; "
                "ask for less at a time",
                "protocol_error",
            )


def envelope(line: bytes, path: Path) -> dict[str, Any]:
    """An answer, checked as :func:`exchange` promises it.

    :raises DaemonUnreachable: it is none.
    """
    try:
        answer = json.loads(line)
        if answer["ok"] is True:
            fits = isinstance(answer["result"], dict)
        else:
            error = answer["error"]
            details = error.get("details")
            words = (error["code"], error["message"])
            fits = all(isinstance(word, str) for word in words) and (
                details is None or isinstance(details, dict)
            )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        fits = False
    if not fits:
        raise unreachable(
            f"what answers at {path} is no AgentTower daemon; check AGENTTOWER_SOCKET",
            "protocol_error",
        )
    return dict(answer)


def _no_answer(path: Path) -> DaemonUnreachable:
    return unreachable(
        f"the daemon at {path} did not answer in time; the request may still take effect, "
        "so look before you ask again",
        "connect_timeout",
    )


def _unreachable(path: Path, error: OSError) -> DaemonUnreachable:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return unreachable(f"no daemon: {path} does not exist; {_START_IT}", "socket_missing")
    if error.errno == errno.ECONNREFUSED:
        return unreachable(
            f"no daemon: nobody listens at {path}; {_START_IT}", "connection_refused"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return unreachable(
            f"{path} may not be used by uid {os.geteuid()}; run as the user who runs the daemon",
            "permission_denied",
        )
    if error.errno in (errno.EAGAIN, errno.ETIMEDOUT):
        return unreachable(
            f"the daemon at {path} is too busy to take a connection; try again in a moment",
            "connect_timeout",
        )
    return DaemonUnreachable(f"{path} cannot be reached: {error.strerror}; {_START_IT}")
