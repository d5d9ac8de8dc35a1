"""The reactor: one thread owns every socket, a small pool runs the handlers.

A connection carries one request and one answer, and another where the client asked to keep it open.
A client that is silent, slow, or waiting for news costs a descriptor and no thread. Threads meet
the reactor in two places only: the queue of finished runs and the
:class:`~agenttower.rpc.waker.Waker`.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from agenttower.rpc.accounts import Accounts
from agenttower.rpc.connection import Connection, Phase, Run
from agenttower.rpc.deadlines import Deadlines
from agenttower.rpc.dispatch import Answer, Dispatcher, Job, ResolveContainer
from agenttower.rpc.door import PAUSE_S, WAKE_S, Door
from agenttower.rpc.intake import Intake
from agenttower.rpc.limits import Limits, fitting_descriptors
from agenttower.rpc.method import Pending
from agenttower.rpc.methods import MethodTable
from agenttower.rpc.outlet import Outlet
from agenttower.rpc.parking import NEVER, Parking
from agenttower.rpc.peer import identify, kernel_gives_peer_pidfd
from agenttower.rpc.pool import Pool
from agenttower.rpc.throttle import Throttle
from agenttower.rpc.waker import Waker
from agenttower.services.caller import Caller
from agenttower.settings import HostRule

log = logging.getLogger(__name__)

_MOST_EVENTS = 512


class Server:
    """Answers requests on a listening Unix socket until it is stopped.

    ``stop`` and ``wake`` may be called from any thread and from signal handlers.
    """

    def __init__(
        self,
        methods: MethodTable,
        resolve_container: ResolveContainer,
        *,
        limits: Limits | None = None,
        on_thread_exit: Callable[[], None] | None = None,
        host_rule: HostRule = "same_namespaces",
    ) -> None:
        """:param resolve_container: the container registry: id or name to full id, or ``None``.
        :param host_rule: what proves that a client is the host.
        :param on_thread_exit: run at the end of each handler thread.
        """
        self._dispatcher = Dispatcher(methods, resolve_container)
        self._resolve_container = resolve_container
        # Where the kernel cannot give a process's handle later, each connection holds one.
        each = 1 if kernel_gives_peer_pidfd() else 2
        self._limits = fitting_descriptors(limits or Limits(), each)
        self._host_rule: HostRule = host_rule
        self._made_at = time.clock_gettime(time.CLOCK_BOOTTIME)
        self._accounts = Accounts(self._limits)
        self._pool = Pool(
            self._limits.threads, on_thread_exit, foreign_running=self._limits.foreign_running
        )
        self._deadlines = Deadlines()
        self._outlet = Outlet(
            self._dispatcher,
            self._accounts,
            self._limits,
            self._deadlines,
            watch=lambda connection, events: self._epoll.modify(connection.socket, events),
            keep=lambda connection: self._intake.await_next(connection),
            close=self._close,
        )
        self._intake = Intake(
            self._dispatcher,
            self._accounts,
            self._limits,
            self._deadlines,
            begin=self._begin,
            answer=self._outlet.answer,
            close=self._close,
        )
        self._waker = Waker()
        self._throttle = Throttle()
        self._connections: dict[int, Connection] = {}
        self._abandoned: set[Connection] = set()
        self._parking = Parking(self._limits.parked, self._limits.wake_gap_s)
        self._finished: deque[tuple[Run, Answer | Pending]] = deque()
        self._change = 0
        self._change_lock = threading.RLock()  # reentrant for signal handlers
        self._serving = False
        self._stop_asked = False
        self._stopping = False
        self._epoll: select.epoll
        self._door: Door

    @property
    def connections(self) -> int:
        """How many are open, those included whose client has gone while its request runs."""
        return len(self._connections) + len(self._abandoned)

    @property
    def waiting(self) -> int:
        """How many of them wait for a change."""
        return len(self._parking)

    @property
    def accepting(self) -> bool:
        """Whether new connections are taken at the moment."""
        return self._serving and not self._stopping and not self._door.paused

    # --- from other threads --------------------------------------------------------------------

    def stop(self) -> None:
        """Stop accepting, answer what was accepted, and return from :meth:`serve_forever`."""
        self._stop_asked = True
        self._waker.ring()

    def wake(self) -> None:
        """Something changed: run the waiting requests again. Many calls at once become one."""
        with self._change_lock:
            self._change += 1
        self._waker.ring()

    # --- the loop ------------------------------------------------------------------------------

    def serve_forever(self, listener: socket.socket) -> None:
        """Serve until :meth:`stop`, or until a method that stops the server was answered.

        :param listener: bound and listening; closed on return.
        """
        with listener, select.epoll() as self._epoll:
            try:
                self._bell = self._waker.open()
                self._epoll.register(self._bell, select.EPOLLIN)
                if self._stop_asked:
                    self._waker.ring()  # asked before there was anything to ring
                self._door = Door(
                    listener,
                    self._epoll,
                    self._limits,
                    self._throttle,
                    self._accounts,
                    host_rule=self._host_rule,
                    quiet_at=self._made_at,
                    is_full=lambda: self.connections >= self._limits.connections,
                    make_room=self._drop_slowest_sender,
                )
                self._serving = True
                while not (self._stopping and not self._connections):
                    self._turn()
            finally:
                self._waker.close()
                for connection in list(self._connections.values()):
                    self._close(connection)
                self._pool.close(self._limits.stop_s)
                self._finished.clear()

    def _turn(self) -> None:
        """Wait for something to do, and do all of it."""
        knocked = False
        for fd in self._poll():
            if fd == self._bell:
                self._waker.quiet()
            elif fd in self._connections:
                self._attend(self._connections[fd])
            else:
                knocked = True
        if self._stop_asked and not self._stopping:
            self._begin_stop()
        elif knocked and not self._stopping:
            self._let_in()
        while self._finished:
            self._settle(*self._finished.popleft())
        self._intake.go_on()
        self._run_parked()
        for connection in self._deadlines.overdue(self._connections.values()):
            self._overdue(connection)
        if not self._stopping:
            self._door.reopen()

    def _poll(self) -> list[int]:
        """The descriptors that have something to say."""
        before = time.monotonic()
        ready = [fd for fd, _events in self._epoll.poll(self._timeout(), _MOST_EVENTS)]
        slept = time.monotonic() - before
        if len(ready) < _MOST_EVENTS and not self._door.is_among(ready):
            self._door.nobody_knocked(0.0)
        elif slept > WAKE_S:
            self._door.nobody_knocked(WAKE_S)
        return ready

    def _timeout(self) -> float | None:
        """Seconds until something is due by itself; ``None`` for never."""
        if self._intake.has_more:
            return 0.0
        now = time.monotonic()
        due = min(self._deadlines.due_at, self._parking.due_at)
        if self._door.paused:
            due = min(due, now + PAUSE_S)
        return None if due == NEVER else max(0.0, due - now)

    def _attend(self, connection: Connection) -> None:
        try:
            match connection.phase:
                case Phase.READING | Phase.COUNTING:
                    self._intake.read(connection)
                case Phase.WRITING:
                    self._outlet.write(connection)
                case Phase.LINGERING:
                    if not connection.discard():
                        self._close(connection)
                case _:
                    # Nothing is watched while a request is worked on, so this is a hang-up.
                    self._abandon(connection)
        except Exception:
            log.exception("a connection failed unexpectedly and is closed")
            self._close(connection)

    # --- coming in -----------------------------------------------------------------------------

    def _let_in(self) -> None:
        for connection in self._door.accept():
            self._connections[connection.socket.fileno()] = connection
            self._epoll.register(connection.socket, select.EPOLLIN)
            self._deadlines.set(connection, connection.deadline)

    def _drop_slowest_sender(self, among: Iterable[Connection] | None) -> bool:
        """Close the oldest connection whose request is overdue; of those given, or of all."""
        before = time.monotonic() - self._limits.evictable_after_s
        for connection in self._connections.values() if among is None else among:
            if connection.phase is Phase.READING and connection.reading_since < before:
                self._close(connection)
                return True
        return False

    # --- requests ------------------------------------------------------------------------------

    def _begin(self, connection: Connection, job: Job) -> None:
        account = connection.account
        if self._pool.is_full(account):
            message = (
                f"{account.share.queued} requests of this client wait already and this one was "
                "not begun; wait for answers, then try again"
            )
            self._outlet.answer(connection, self._dispatcher.refuse(job, message))
            return
        self._submit(connection, job)

    def _submit(self, connection: Connection, job: Job, *, final: bool = False) -> None:
        self._parking.remove(connection)
        now = time.monotonic()
        run = Run(connection, job, final or self._stopping, self._change)
        connection.run = run
        connection.phase = Phase.WORKING
        self._epoll.modify(connection.socket, 0)
        allowed = self._limits.stop_s if self._stopping else job.method.deadline_s
        self._deadlines.set(connection, now + allowed)
        self._pool.submit(connection.account, lambda: self._perform(run))

    def _perform(self, run: Run) -> None:
        """On a thread of the pool."""
        if not run.claim():
            return
        peer = run.connection.peer

        def who() -> Caller:
            there = run.job.sender_is_there
            caller = identify(peer, self._resolve_container, is_there=there)
            if caller.kind == "unknown" and self._throttle.ready("unknown"):
                log.warning("process %d is not identified: %s", caller.pid, caller.reason)
            return caller

        outcome = self._dispatcher.run(run.job, who, final=run.final)
        self._finished.append((run, outcome))
        self._waker.ring()

    def _settle(self, run: Run, outcome: Answer | Pending) -> None:
        connection = run.connection
        if connection.run is not run:
            log.warning("%s finished after its client had been answered", run.job.name)
            return
        connection.run = None
        if connection.phase is Phase.ABANDONED:
            connection.stops_server = isinstance(outcome, Answer) and outcome.stops_server
            self._close(connection)
        elif isinstance(outcome, Answer):
            self._outlet.answer(connection, outcome)
        elif self._stopping or self._parking.full(connection.account):
            self._submit(connection, run.job, final=True)
        else:
            connection.phase = Phase.PARKED
            connection.seen_change = run.change
            self._parking.add(connection)
            self._deadlines.set(connection, outcome.until)

    def _run_parked(self) -> None:
        for connection in self._parking.round(self._change, time.monotonic()):
            if connection.job is not None:
                self._submit(connection, connection.job)

    # --- the end of a connection ---------------------------------------------------------------

    def _abandon(self, connection: Connection) -> None:
        """The client went while its request was worked on. A run that was begun is not undone."""
        if connection.phase is Phase.PARKED:
            self._close(connection)
            return
        connection.phase = Phase.ABANDONED
        self._abandoned.add(connection)
        self._disconnect(connection)

    def _close(self, connection: Connection) -> None:
        """The end of a connection, whatever phase it is in."""
        if connection.phase is Phase.CLOSED:
            return
        self._parking.remove(connection)
        self._abandoned.discard(connection)
        self._disconnect(connection)
        self._accounts.leave(connection)
        connection.peer.close()
        connection.run = None
        connection.phase = Phase.CLOSED
        if connection.stops_server:
            self._stop_asked = True
            self._waker.ring()

    def _disconnect(self, connection: Connection) -> None:
        fd = connection.socket.fileno()
        if fd >= 0:
            self._epoll.unregister(fd)
            del self._connections[fd]
            connection.socket.close()

    # --- time ----------------------------------------------------------------------------------

    def _overdue(self, connection: Connection) -> None:
        job = connection.job
        match connection.phase:
            case Phase.PARKED if job is not None:
                self._submit(connection, job, final=True)
            case Phase.WORKING if job is not None:
                self._give_up(connection, job)
            case Phase.READING | Phase.COUNTING:
                self._intake.time_is_up(connection)
            case _:
                self._close(connection)

    def _give_up(self, connection: Connection, job: Job) -> None:
        waited = time.monotonic() - job.asked_at
        run, connection.run = connection.run, None
        if run is not None and run.claim():
            message = f"the daemon was too busy to begin in {waited:.0f} s; nothing was done"
            log.error("%s was never begun in %.1f s: every thread is in use", job.name, waited)
        else:
            message = (
                f"{job.name} did not finish in {waited:.0f} s and may still take effect; "
                "look before you ask again"
            )
            log.error("%s is still running after %.1f s and holds a thread", job.name, waited)
        self._outlet.answer(connection, self._dispatcher.refuse(job, message))

    # --- the end -------------------------------------------------------------------------------

    def _begin_stop(self) -> None:
        """Take what has been connected already, listen no more, and hurry the rest."""
        self._let_in()
        self._door.close()
        self._stopping = True
        self._deadlines.hurry(self._limits.stop_s)
        self._outlet.hurry()
        for connection in list(self._connections.values()):
            if connection.phase is Phase.READING:
                self._intake.read(connection)
        for connection in list(self._connections.values()):
            if connection.phase is Phase.PARKED and connection.job is not None:
                self._submit(connection, connection.job, final=True)
            elif connection.phase is Phase.LINGERING or (
                connection.phase is Phase.READING and not connection.has_sent
            ):
                self._close(connection)
            else:
                self._deadlines.set(connection, connection.deadline)
