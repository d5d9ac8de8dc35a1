"""From bytes that come in to a request that may run, or to its refusal."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from agenttower.rpc.accounts import Accounts
from agenttower.rpc.connection import Connection, Phase, Received
from agenttower.rpc.deadlines import Deadlines
from agenttower.rpc.dispatch import Answer, Dispatcher, Job
from agenttower.rpc.framing import APP_REQUEST_LIMIT, REQUEST_LIMIT, namespace_of_head
from agenttower.rpc.limits import Limits
from agenttower.rpc.method import Gate

_TOO_MUCH = (
    "this client has sent too many long requests at once; nothing was done: "
    "wait for answers, then try again"
)


class Intake:
    """Reads requests off connections, within what each may send. Never waits for one."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        accounts: Accounts,
        limits: Limits,
        deadlines: Deadlines,
        *,
        begin: Callable[[Connection, Job], None],
        answer: Callable[[Connection, Answer], None],
        close: Callable[[Connection], None],
    ) -> None:
        self._dispatcher = dispatcher
        self._accounts = accounts
        self._limits = limits
        self._deadlines = deadlines
        self._begin = begin
        self._answer = answer
        self._close = close
        self._fed: deque[Connection] = deque()
        """Those whose next request has come together with the one before."""

    @property
    def has_more(self) -> bool:
        """Whether :meth:`go_on` has something to do, although nothing new came in."""
        return bool(self._fed)

    def read(self, connection: Connection) -> None:
        """A connection that awaits a request has something to read."""
        if connection.phase is Phase.COUNTING:
            if not connection.count():
                self._refuse_counted(connection)
            return
        if not connection.has_sent:
            latest = time.monotonic() + self._limits.receive_s
            self._deadlines.set(connection, min(connection.deadline, latest))
        self._received(connection, connection.receive())

    def await_next(self, connection: Connection) -> None:
        """A connection was kept open and answered; its next request may be here already."""
        connection.phase = Phase.READING
        connection.limit = REQUEST_LIMIT
        connection.reading_since = time.monotonic()
        allowed = self._limits.receive_s if connection.has_sent else self._limits.idle_s
        self._deadlines.set(connection, connection.reading_since + allowed)
        if connection.has_sent:
            self._fed.append(connection)

    def go_on(self) -> None:
        """One request of each connection that has sent several: others come in between."""
        for _ in range(len(self._fed)):
            connection = self._fed.popleft()
            if connection.phase is Phase.READING and connection.has_sent:
                self._received(connection, connection.take_line())

    def time_is_up(self, connection: Connection) -> None:
        """No whole request came in time."""
        if connection.phase is Phase.COUNTING:
            self._refuse_counted(connection)
        elif connection.has_sent:
            self._cut_short(connection, f"was not complete after {self._limits.receive_s:g} s")
        else:
            self._close(connection)

    def _received(self, connection: Connection, what: Received) -> None:
        match what:
            case Received.LINE:
                self._accept(connection)
            case Received.FULL:
                self._let_more_in(connection)
            case Received.CUT_SHORT:
                self._cut_short(connection, "ended before its newline")
            case Received.NOTHING:
                self._close(connection)
            case Received.MORE:
                return

    def _accept(self, connection: Connection) -> None:
        accepted = self._dispatcher.accept(connection.line)
        connection.line = b""
        if not accepted.keep_open:
            connection.drop_input()
        if isinstance(accepted, Answer):
            self._answer(connection, accepted)
            return
        if accepted.method.gate is not Gate.OPEN:
            accepted.sender_is_there = connection.peer.is_there(connection.socket)
        connection.job = accepted
        self._begin(connection, accepted)

    def _let_more_in(self, connection: Connection) -> None:
        """The line has filled its limit, which is wider for ``app.*`` from the host."""
        if connection.limit > REQUEST_LIMIT:
            connection.begin_counting()
            connection.phase = Phase.COUNTING
            self._deadlines.set(connection, time.monotonic() + self._limits.linger_s)
            return
        if namespace_of_head(connection.head) != "app":
            answer = self._dispatcher.too_large()
        elif not connection.account.is_host:
            answer = self._dispatcher.host_only()
        elif not self._accounts.hold(connection, APP_REQUEST_LIMIT):
            answer = self._dispatcher.too_busy(_TOO_MUCH)
        else:
            connection.limit = APP_REQUEST_LIMIT
            return
        connection.drop_input()
        self._answer(connection, answer)

    def _refuse_counted(self, connection: Connection) -> None:
        self._answer(connection, self._dispatcher.too_large(connection.counted))

    def _cut_short(self, connection: Connection, what: str) -> None:
        answer = self._dispatcher.cut_short(connection.head, what)
        connection.drop_input()
        self._answer(connection, answer)
