"""What requests are thrown at: the real services over a real database, in this process.

Nothing is faked. There are no engine and no worker: what a request orders is written down, and
nobody does it. One of the two benches is this machine, which has a tmux server and no engine.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, fields
from unittest import mock

from agenttower import bootstrap, clock
from agenttower.engine import presence
from agenttower.errors import EventsSessionUnknown
from agenttower.rpc.dispatch import Answer, Dispatcher
from agenttower.rpc.method import Method, Pending
from agenttower.rpc.methods import MethodTable, method_table
from agenttower.services.caller import Caller
from agenttower.services.tower import Tower
from agenttower.settings import Config, LocalBench, Settings
from agenttower.store.database import Store
from agenttower.store.panes import PaneKey
from tests.fuzz.scenery import OTHER_BENCH, furnish
from tests.support.processes import processes_with
from tests.support.state_home import StateHome, make_state_home

HOST = Caller("host", uid=0)
UNKNOWN = Caller("unknown")

SETTLED_S = 10.0

Rows = dict[str, list[tuple[object, ...]]]

_MOVES_BY_ITSELF = ("worker",)
"""Tables that change without any request: heartbeats."""


@dataclass(frozen=True, slots=True)
class Said:
    """One answer, and how it came about."""

    line: bytes
    at_once: bool
    """It was there in the first run, and so was nothing that the request ordered."""


class Complaints(logging.Handler):
    """Errors in the daemon's log: a request, whatever it is, is no reason for one."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        cause = record.exc_info[1] if record.exc_info else None
        self._said.append(record.getMessage() + (f": {cause!r}" if cause else ""))

    def taken(self) -> list[str]:
        """What has been said since the last time."""
        said, self._said = self._said, []
        return said

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Listen to everything that AgentTower says."""
        log = logging.getLogger("agenttower")
        log.addHandler(self)
        try:
            yield
        finally:
            log.removeHandler(self)


class Ground:
    """A tower without processes, which is as it was at the start whenever one wants it so."""

    def __init__(self, store: Store, services: Tower, home: StateHome, local: str) -> None:
        self.home = home
        self.callers = (HOST, Caller("bench", local), Caller("bench", OTHER_BENCH), UNKNOWN)
        """Who may ask: the host, two benches with rows of their own, and somebody nobody knows."""
        self.services = services
        self.store = store
        self._look = sqlite3.connect(home.paths.database, check_same_thread=False)
        self._start = sqlite3.connect(":memory:", check_same_thread=False)
        self._look.backup(self._start)
        self._version = self.version()
        self._dispatcher: Dispatcher
        self.complaints = Complaints()
        self.token = self.session = ""
        self._greeted = False
        self._threads: set[threading.Thread] = set()
        self._open()
        self._warm_up()

    def close(self) -> None:
        self._look.close()
        self._start.close()

    def _warm_up(self) -> None:
        """Whatever is opened once and kept is open when anybody counts."""
        for name in self._methods:
            params = {"app_session_token": self.token}
            self.ask(json.dumps({"method": name, "params": params}).encode())
        for thread in set(threading.enumerate()) - {threading.current_thread()}:
            _join(thread, 0.2)
        self._threads = set(threading.enumerate())
        self.start_again()

    def settle(self) -> None:
        """Wait for what the daemon does in threads of its own, such as a scan."""
        until = time.monotonic() + SETTLED_S
        while (more := set(threading.enumerate()) - self._threads) and time.monotonic() < until:
            _join(more.pop(), SETTLED_S)

    # --- requests ------------------------------------------------------------------------------

    @property
    def methods(self) -> MethodTable:
        return self._methods

    def ask(self, line: bytes, caller: Caller = HOST) -> Said:
        """What the daemon answers to one request line, given without its newline."""
        job = self._dispatcher.accept(line)
        if isinstance(job, Answer):
            return Said(job.line, True)
        self._greeted |= job.name == "app.hello"
        outcome = self._dispatcher.run(job, lambda: caller)
        if isinstance(outcome, Answer):
            return Said(outcome.line, True)
        last = self._dispatcher.run(job, lambda: caller, final=True)
        assert not isinstance(last, Pending)
        return Said(last.line, False)

    def has_changed(self) -> bool:
        """Whether anything has been written since the start."""
        return self.version() != self._version

    def start_again(self) -> None:
        """Take back all that requests have written, and the sessions that they have opened."""
        self.settle()
        if self.has_changed():
            self._start.backup(self._look)
            # A connection does not see its own writes in its version.
            self._version = self.version()
        with suppress(EventsSessionUnknown):
            self.services.agent_events.close(HOST, self.session)
        if self._greeted:
            self._open()
        self.session = str(self._result("events.follow_open")["session_id"])

    def _open(self) -> None:
        """A method table with no app sessions but ours. Making one takes its time."""
        self._methods = table_of(self.services)
        self._dispatcher = Dispatcher(self._methods, self.services.resolve_container)
        self.token = str(self._result("app.hello")["app_session_token"])
        self._greeted = False

    def _result(self, method: str) -> dict[str, object]:
        return dict(json.loads(self.ask(b'{"method":"%s"}' % method.encode()).line)["result"])

    # --- the database --------------------------------------------------------------------------

    def version(self) -> int:
        """Another number whenever anybody has committed a change."""
        return int(self._look.execute("PRAGMA data_version").fetchone()[0])

    def rows(self) -> Rows:
        """Every row of every table that only requests change."""
        return {
            name: self._look.execute(f'SELECT * FROM "{name}" ORDER BY 1').fetchall()
            for name in self.tables()
            if name not in _MOVES_BY_ITSELF
        }

    def tables(self) -> list[str]:
        query = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        return [name for (name,) in self._look.execute(query)]

    def pane_keys(self) -> Iterator[dict[str, object]]:
        """The keys of all panes that the last scan has seen."""
        columns = [field.name for field in fields(PaneKey)]
        query = f"SELECT {', '.join(columns)} FROM pane"
        for row in self._look.execute(query):
            yield dict(zip(columns, row, strict=True))

    def vocabulary(self) -> dict[str, list[object]]:
        """What stands in each column, by its name: ids that exist, names, paths."""
        found: dict[str, dict[object, None]] = {}
        for name in self.tables():
            table = self._look.execute(f'SELECT * FROM "{name}" ORDER BY 1 LIMIT 50')
            columns = [column[0] for column in table.description]
            for row in table:
                for column, value in zip(columns, row, strict=True):
                    if isinstance(value, int | str):
                        found.setdefault(column, {})[value] = None
        return {column: list(values) for column, values in found.items()}


def table_of(services: Tower) -> Mapping[str, Method[object]]:
    """The method table, without the one method that ends the daemon."""
    table = dict(method_table(services))
    del table["shutdown"]
    return table


def end_tmux(home: StateHome) -> None:
    """A tmux server outlives whoever has started it."""
    for pid, name in processes_with("HOME", str(home.root)).items():
        if name.startswith("tmux"):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)


def _join(thread: threading.Thread, seconds: float) -> None:
    """Wait for a thread, also for one that is listed and has not begun."""
    until = time.monotonic() + seconds
    while thread.ident is None and time.monotonic() < until:
        time.sleep(0.001)
    if thread.ident is not None:
        thread.join(seconds)


@contextmanager
def open_ground() -> Iterator[Ground]:
    """A furnished tower in a home of its own."""
    with ExitStack() as stack:
        home = stack.enter_context(make_state_home())
        stack.callback(end_tmux, home)
        stack.enter_context(mock.patch.dict(os.environ, home.environ, clear=True))
        home.paths.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        config = Config(local=LocalBench(enabled=True))
        core = stack.enter_context(bootstrap.open_core(Settings(home.paths, config), "serve"))
        # Whoever looks at the worker's row finds this process: nothing is refused for its lack.
        far = clock.now() + 86_400 * clock.SECOND
        presence.announce(core.store, "fuzz", presence.this_process(), far)
        services = bootstrap.tower(core)
        local = furnish(core.store, services)
        ground = stack.enter_context(closing(Ground(core.store, services, home, local)))
        stack.enter_context(ground.complaints.heard())
        yield ground
