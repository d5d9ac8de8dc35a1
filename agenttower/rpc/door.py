"""Who gets in: the listener, the peer's uid, and how many connections one process may hold."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import select
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator

from agenttower.rpc.connection import Connection
from agenttower.rpc.envelopes import LEGACY, InternalError
from agenttower.rpc.limits import Limits
from agenttower.rpc.peer import Peer
from agenttower.rpc.throttle import Throttle

log = logging.getLogger(__name__)

PAUSE_S = 0.2
"""How long to wait for resources that the system, not a client of ours, must free."""

_BATCH = 64
_NO_MORE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Door:
    """Accepts connections in batches, and stands closed while there is no room for more."""

    def __init__(
        self,
        listener: socket.socket,
        epoll: select.epoll,
        limits: Limits,
        throttle: Throttle,
        *,
        is_full: Callable[[], bool],
        make_room: Callable[[int | None], bool],
    ) -> None:
        """:param make_room: drops a connection that can be spared, of one process if a pid is
        given; tells whether it did.
        """
        self._listener = listener
        self._epoll = epoll
        self._limits = limits
        self._throttle = throttle
        self._is_full = is_full
        self._make_room = make_room
        self._per_process: Counter[int] = Counter()
        self._reopen_at: float | None = None
        self.paused = False
        listener.setblocking(False)
        epoll.register(listener, select.EPOLLIN)

    def accept(self) -> Iterator[Connection]:
        """Those who wait and may come in; call it when somebody knocks."""
        if self._is_full() and not self._make_room(None):
            self._pause("every connection is in use", None)
            return
        for _ in range(_BATCH):
            if self._is_full():
                return  # whoever else is waiting knocks again
            try:
                accepted, _address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _NO_MORE:
                    self._pause(os.strerror(error.errno), time.monotonic() + PAUSE_S)
                    return
                continue  # that one client has gone again
            connection = self._admit(accepted)
            if connection is not None:
                yield connection

    def left(self, peer: Peer) -> None:
        """One admitted connection of this peer is no more."""
        self._per_process[peer.pid] -= 1
        if self._per_process[peer.pid] <= 0:
            del self._per_process[peer.pid]

    def reopen(self) -> None:
        """Accept again, if what kept us from it is over."""
        if not self.paused:
            return
        if self._reopen_at is None:
            ready = not self._is_full() or self._make_room(None)
        else:
            ready = time.monotonic() >= self._reopen_at
        if ready:
            self.paused = False
            self._epoll.modify(self._listener, select.EPOLLIN)

    def close(self) -> None:
        """Stop listening. Safe to call twice."""
        if self._listener.fileno() >= 0:
            self._epoll.unregister(self._listener)
            self._listener.close()

    def _pause(self, why: str, reopen_at: float | None) -> None:
        if self._throttle.ready("pause"):
            log.error("not accepting connections for now: %s", why)
        self.paused = True
        self._reopen_at = reopen_at
        self._epoll.modify(self._listener, 0)

    def _admit(self, accepted: socket.socket) -> Connection | None:
        accepted.setblocking(False)
        peer = Peer.of(accepted)
        if peer.uid != os.geteuid():
            # Closed without a word (legacy surfaces, 3.1).
            if self._throttle.ready("uid"):
                log.warning(
                    "socket_peer_uid_mismatch peer_uid=%d daemon_uid=%d peer_pid=%d",
                    peer.uid,
                    os.geteuid(),
                    peer.pid,
                )
            peer.close()
            accepted.close()
            return None
        now = time.monotonic()
        connection = Connection(accepted, peer, now, now + self._limits.receive_s)
        crowded = self._per_process[peer.pid] >= self._limits.per_process
        if crowded and not self._make_room(peer.pid):
            self._turn_away(connection)
            return None
        self._per_process[peer.pid] += 1
        return connection

    def _turn_away(self, connection: Connection) -> None:
        if self._throttle.ready("per_process"):
            log.warning("process %d has too many connections open", connection.peer.pid)
        message = "this process has too many requests open; wait for answers, then try again"
        with connection.socket, contextlib.suppress(OSError):
            connection.put(LEGACY.failure(InternalError(message)))
            connection.flush()
            connection.discard()
        connection.peer.close()
