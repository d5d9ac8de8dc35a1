"""One connection for many requests, where the daemon lets it stay open."""

from __future__ import annotations

import json
import os
import select
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agenttower.client import connection

_TWO_PINGS = b'{"method":"ping","keep_open":true}\n' * 2


class Line:
    """A connection that is kept between requests. Safe to use from many threads.

    Whether a daemon keeps it open, it is asked first: one that closes after each answer may do so
    just when the next request is on its way, and then nobody knows whether that was run. Such a
    daemon gets a connection for each request. While one thread waits for an answer, others use
    connections of their own.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._kept_open = True
        """Whether the daemon is one that keeps connections open, as far as is known."""
        self._pid = os.getpid()

    def exchange(self, method: str, params: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        """As :func:`agenttower.client.connection.exchange`."""
        if not self._kept_open or not self._lock.acquire(blocking=False):
            return connection.exchange(self._path, method, params, timeout)
        try:
            return self._exchange(method, params, time.monotonic() + timeout)
        finally:
            self._lock.release()

    def close(self) -> None:
        """Hang up, once the request under way is answered. It may be used again."""
        with self._lock:
            self._hang_up()

    def _exchange(self, method: str, params: Mapping[str, Any], deadline: float) -> dict[str, Any]:
        request = {"method": method, "params": dict(params), "keep_open": True}
        encoded = json.dumps(request).encode() + b"\n"
        try:
            kept = self._connected(deadline)
            if kept is None:
                left = deadline - time.monotonic()
                return connection.exchange(self._path, method, params, left)
            line = connection.ask(kept, encoded, self._path, deadline)
            return connection.envelope(line, self._path)
        except BaseException:  # what comes now would be taken for the next answer
            self._hang_up()
            raise

    def _connected(self, deadline: float) -> socket.socket | None:
        """The connection, made anew where the other side has closed it: nothing was sent then.

        ``None`` where the daemon keeps none open.
        """
        if self._socket is not None and (self._pid != os.getpid() or _has_ended(self._socket)):
            self._hang_up()
        if self._socket is None:
            self._pid = os.getpid()
            self._socket = connection.connected(self._path, deadline)
            self._kept_open = _is_kept_open(self._socket, deadline)
            if not self._kept_open:
                self._hang_up()
        return self._socket

    def _hang_up(self) -> None:
        kept, self._socket = self._socket, None
        if kept is not None:
            kept.close()


def _is_kept_open(made: socket.socket, deadline: float) -> bool:
    """Whether two requests that are sent at once are both answered."""
    answers = 0
    try:
        made.settimeout(max(0.001, deadline - time.monotonic()))
        made.sendall(_TWO_PINGS)
        while answers < 2:
            made.settimeout(max(0.001, deadline - time.monotonic()))
            chunk = made.recv(4096)
            if not chunk:
                return False
            answers += chunk.count(b"\n")
    except OSError:
        return False
    return True


def _has_ended(kept: socket.socket) -> bool:
    """Whether there is something to read where no answer is awaited: the end, most likely."""
    poller = select.poll()
    poller.register(kept, select.POLLIN)
    return bool(poller.poll(0))
