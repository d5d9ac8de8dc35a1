"""From an answer to its last byte, and what becomes of the connection then."""

from __future__ import annotations

import select
import time
from collections.abc import Callable

from agenttower.rpc.accounts import Accounts
from agenttower.rpc.connection import Connection, Phase
from agenttower.rpc.deadlines import Deadlines
from agenttower.rpc.dispatch import Answer, Dispatcher
from agenttower.rpc.limits import Limits

_LONG = 65536
"""Bytes from which on an answer is counted among what a peer holds."""
_UNTAKEN = (
    "the answer is long, and this client has not taken its earlier ones; the request was carried "
    "out: read those answers, then look again"
)


class Outlet:
    """Sends answers as fast as each client takes them. Never waits for one."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        accounts: Accounts,
        limits: Limits,
        deadlines: Deadlines,
        *,
        watch: Callable[[Connection, int], None],
        keep: Callable[[Connection], None],
        close: Callable[[Connection], None],
    ) -> None:
        """:param watch: changes which events of a connection are looked at.
        :param keep: takes over a connection that is to carry another request.
        """
        self._dispatcher = dispatcher
        self._accounts = accounts
        self._limits = limits
        self._deadlines = deadlines
        self._watch = watch
        self._keep = keep
        self._close = close
        self._hurried = False

    def hurry(self) -> None:
        """From now on each connection ends with its answer."""
        self._hurried = True

    def answer(self, connection: Connection, answer: Answer) -> None:
        """Begin to send; the rest is sent by :meth:`write`."""
        answer = self._affordable(connection, answer)
        connection.job = None
        connection.put(answer.line)
        connection.stops_server = answer.stops_server
        connection.kept_open = answer.keep_open and not answer.stops_server
        connection.phase = Phase.WRITING
        self._deadlines.set(connection, time.monotonic() + self._limits.send_s)
        self.write(connection)

    def write(self, connection: Connection) -> None:
        """Send more, as the client takes it."""
        try:
            if not connection.flush():
                self._watch(connection, select.EPOLLOUT)
                return
        except OSError:
            self._close(connection)
            return
        self._accounts.release(connection)
        if connection.kept_open and not self._hurried:
            self._watch(connection, select.EPOLLIN)
            self._keep(connection)
            return
        connection.drop_input()
        if connection.overfed and not self._hurried:
            connection.end_sending()
            connection.phase = Phase.LINGERING
            self._watch(connection, select.EPOLLIN)
            self._deadlines.set(connection, time.monotonic() + self._limits.linger_s)
            return
        connection.discard()
        self._close(connection)

    def _affordable(self, connection: Connection, answer: Answer) -> Answer:
        """The answer, or a short one where its peer leaves too many long ones untaken."""
        self._accounts.release(connection)
        size, job = len(answer.line), connection.job
        if job is None or size < _LONG or self._accounts.hold(connection, size):
            return answer
        return self._dispatcher.refuse(job, _UNTAKEN)
