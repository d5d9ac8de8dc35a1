"""Who gets in: the listener, the peer's uid, and how many connections one peer may hold."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import select
import socket
import time
from collections.abc import Callable, Container, Iterable, Iterator

from agenttower.errors import AgentTowerError
from agenttower.rpc.accounts import Accounts
from agenttower.rpc.connection import Connection
from agenttower.rpc.envelopes import APP, InternalError
from agenttower.rpc.limits import Limits
from agenttower.rpc.peer import Peer, credentials
from agenttower.rpc.throttle import Throttle
from agenttower.settings import HostRule

log = logging.getLogger(__name__)

PAUSE_S = 0.2
"""How long to wait for resources that the system, not a client of ours, must free."""

WAKE_S = 0.1
"""How long a waiting process may take to notice that somebody knocked."""

_BATCH = 64
_NO_MORE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class WrongUser(AgentTowerError):
    """The peer's uid is not the daemon's (app surface, section 3; legacy surfaces, 3.1)."""

    code = "permission_denied"

    def __init__(self) -> None:
        super().__init__(
            "this daemon serves another user; run the client with the uid that the daemon has"
        )


class Door:
    """Accepts connections in batches, and stands closed while there is no room for more.

    Who is turned away is told why before its request was read, so the line has to suit every
    client: it is the envelope of ``app.*``, which has all that the older one has.
    """

    def __init__(
        self,
        listener: socket.socket,
        epoll: select.epoll,
        limits: Limits,
        throttle: Throttle,
        accounts: Accounts,
        *,
        host_rule: HostRule,
        quiet_at: float,
        is_full: Callable[[], bool],
        make_room: Callable[[Iterable[Connection] | None], bool],
    ) -> None:
        """:param quiet_at: boot time in seconds when nobody could knock yet.
        :param make_room: drops a connection that can be spared, of those given or of all;
        tells whether it did.
        """
        self._listener = listener
        self._epoll = epoll
        self._limits = limits
        self._throttle = throttle
        self._accounts = accounts
        self._host_rule = host_rule
        self._is_full = is_full
        self._make_room = make_room
        self._reopen_at: float | None = None
        self._quiet_at = quiet_at
        self.paused = False
        listener.setblocking(False)
        epoll.register(listener, select.EPOLLIN)

    def is_among(self, ready: Container[int]) -> bool:
        """Whether somebody knocks, given the descriptors that are ready."""
        return self._listener.fileno() in ready

    def nobody_knocked(self, waited_s: float) -> None:
        """Nobody stood at the door until ``waited_s`` seconds ago, as far as we can tell."""
        if not self.paused:
            self._quiet_at = time.clock_gettime(time.CLOCK_BOOTTIME) - waited_s

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
                self.nobody_knocked(0.0)
                return
            except OSError as error:
                if error.errno in _NO_MORE:
                    self._pause(os.strerror(error.errno), time.monotonic() + PAUSE_S)
                    return
                continue  # that one client has gone again
            connection = self._admit(accepted)
            if connection is not None:
                yield connection

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
        pid, uid = credentials(accepted)
        if uid != os.geteuid():
            if self._throttle.ready("uid"):
                log.warning(
                    "socket_peer_uid_mismatch peer_uid=%d daemon_uid=%d peer_pid=%d",
                    uid,
                    os.geteuid(),
                    pid,
                )
            _turn_away(accepted, WrongUser())
            return None
        peer = Peer.of(accepted, rule=self._host_rule, quiet_at=self._quiet_at)
        account = self._accounts.of(peer.key, peer.sight.kind)
        now = time.monotonic()
        connection = Connection(accepted, peer, account, now, now + self._limits.receive_s)
        if self._accounts.is_full(account) and not self._make_room_for(connection):
            if self._throttle.ready("crowded"):
                log.warning("%s has too many connections open", account.key)
            message = "this client has too many requests open; wait for answers, then try again"
            _turn_away(accepted, InternalError(message))
            peer.close()
            return None
        self._accounts.enter(connection)
        return connection

    def _make_room_for(self, newcomer: Connection) -> bool:
        """Where a peer is crowded, one of its own goes; where strangers are, one of theirs."""
        account = newcomer.account
        own = list(account.connections)
        if len(own) < account.share.connections:
            own = self._accounts.strangers()
        return self._make_room(own)


def _turn_away(accepted: socket.socket, error: AgentTowerError) -> None:
    """Say why and close; what the client has sent is not looked at."""
    with accepted, contextlib.suppress(OSError):
        accepted.send(APP.failure(error))
        accepted.shutdown(socket.SHUT_WR)
        accepted.recv(65536)
