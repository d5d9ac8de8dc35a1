"""Where the machine acts: the rig, the model beside it, and what happens in the middle of calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from peewee import OperationalError

from agenttower.clock import SECOND
from agenttower.errors import AgentTowerError
from agenttower.services.caller import HOST
from agenttower.services.managed.sweep import MARKER_TIMEOUT
from agenttower.store import agents
from tests.model.contract_model import OK, Circumstances, Contract
from tests.model.fake_bench import ASLEEP_S, FakeContainer
from tests.model.fake_tmux import Pane
from tests.model.invariants import Watch
from tests.model.rig import Killed, Rig

FOREIGN = "users"
NOBODY = "00000000-0000-4000-8000-000000000000"
ADOPTED_IN = "a" * 64
ADOPTED = "agt_ad0b7ed00000"
MISFORTUNES = (
    "engine heard",
    "late effects",
    "container stops",
    "container pauses",
    "container goes on",
    "container goes on",
    "server killed",
    "pane killed",
    "program exits",
    "pipe breaks",
    "session renamed",
)
MEANWHILE = (
    "killed",
    "killed",
    "killed",
    "another thread",
    "another worker",
    "lease expires",
    "removed",
    "recreated",
    "swept",
    "looked at",
    *MISFORTUNES,
)

Moment = tuple[int, str, int]


class Scene:
    """Three containers, a front end and a worker; every commit is checked by :class:`Watch`."""

    def __init__(self) -> None:
        self.contract = Contract()
        containers = [FakeContainer(letter * 64, f"bench-{letter}") for letter in "abc"]
        containers[2].mounted = False
        for container in containers:
            container.tmux.add_foreign(FOREIGN)
        self.foreign = {c.id: c.tmux.server_id for c in containers}
        self.meanwhile: Moment | None = None
        """Something else that happens, after so many more passages."""
        self.answers: set[str] | None = None
        """What the request under way may answer."""
        self._predict: Callable[[], str] = lambda: OK
        self._deep = False
        self.broken = False
        self.watching = False
        self.rig = Rig(containers, committed=self.committed, passage=self.passage)
        self.world = self.rig.world
        self.watch = Watch(self.rig.store, self.contract, self.world.standing)
        self._adopt()
        self.watching = True
        self.rig.start_worker()
        self.watch.look()

    def _adopt(self) -> None:
        with self.rig.store.transaction():
            agents.upsert(
                {
                    "agent_id": ADOPTED,
                    "container_id": ADOPTED_IN,
                    "tmux_socket_path": "/tmp/tmux-0/default",
                    "tmux_session_name": FOREIGN,
                    "tmux_window_index": 0,
                    "tmux_pane_index": 0,
                    "tmux_pane_id": "%0",
                    "role": "slave",
                    "capability": "worker",
                    "label": "s1",
                    "project_path": "",
                    "origin": "adopted",
                },
                self.rig.time.now,
            )

    # --- what the rig tells ----------------------------------------------------------------------

    def committed(self) -> None:
        if self.watching:
            with self.checking():
                self.watch.look()

    @contextmanager
    def checking(self) -> Iterator[None]:
        """After something was found the end is not looked at, so as to tell the first thing."""
        try:
            yield
        except AssertionError:
            self.broken = True
            raise

    def passage(self, name: str) -> None:
        """A crash point, or a moment before or after an effect in a bench."""
        if self._deep or self.meanwhile is None:
            return
        skip, what, which = self.meanwhile
        if skip:
            self.meanwhile = (skip - 1, what, which)
            return
        if what != "killed" and self.rig.store.inside():
            return  # nobody else can write now; at the next passage then
        self.meanwhile = None
        self.world.harm += 1
        if what == "killed":
            raise Killed(name)
        self._deep = True
        try:
            self.happens(what, which)
        finally:
            self._deep = False
        if self.answers is not None:
            self.answers.add(self._predict())

    def arm(self, moment: Moment | None) -> None:
        """Let something else happen soon; it takes the place of what has not happened yet."""
        self.meanwhile = moment or self.meanwhile

    def happens(self, what: str, which: int) -> None:
        """Something that nobody asked the product for, now."""
        container = self.container(which)
        things: dict[str, Callable[[], object]] = {
            "another thread": lambda: self.rig.running and self.rig.run_message(),
            "another worker": self._another_worker,
            "lease expires": lambda: self._lease_expires(which),
            "removed": lambda: self._removal_gets_on(which),
            "recreated": lambda: self.order_recreation(
                self.pane_id(which, "failed", "removed"), None
            ),
            "swept": lambda: self._sweep_comes(which),
            "looked at": lambda: self.rig.look(container.id),
            "engine heard": self.rig.hear_engine,
            "late effects": self.world.deliver_late,
            "container stops": lambda: self.world.stop(container),
            "container pauses": lambda: self.world.pause(container),
            "container goes on": lambda: self.world.go_on(container),
            "server killed": lambda: self.world.kill_server(container),
            "pane killed": lambda: self._to_a_pane(which, self.world.kill_pane),
            "program exits": lambda: self._to_a_pane(which, self.world.end_program),
            "pipe breaks": lambda: self._to_a_pane(which, self.world.break_pipe),
            "session renamed": lambda: self._to_a_pane(which, self.world.rename_session),
        }
        try:
            things[what]()
        except (AgentTowerError, OperationalError):
            return  # it was refused, and that is all

    def _to_a_pane(self, which: int, what: Callable[[FakeContainer, Pane], None]) -> None:
        """To one of ours in a container that runs, if there is any."""
        found = [
            (container, pane)
            for container in self.world.containers.values()
            if container.status == "running"
            for pane in container.tmux.panes
            if pane.token
        ]
        if found:
            what(*found[which % len(found)])

    def _removal_gets_on(self, which: int) -> None:
        """An operator removes a pane, and another thread gets on with it."""
        self.order_removal(self.pane_id(which, "ready", "degraded"))
        for _ in range(which % 5):
            if self.rig.running:
                self.rig.run_message()

    def _another_worker(self) -> None:
        if self.rig.running:
            self.rig.run_message(self.rig.second_owner())

    def _sweep_comes(self, which: int) -> None:
        """Mostly when it is high time."""
        if which % 4:
            self.rig.time.sleep(MARKER_TIMEOUT / SECOND + 1)
        self.rig.as_worker(lambda worker: worker.sweep.run())

    def _lease_expires(self, messages: int) -> None:
        """Another worker takes over and gets on while this one sleeps."""
        self.rig.time.sleep(ASLEEP_S)
        if self.rig.running:
            self.rig.running.engine.rescue()
            for _ in range(messages + 1):
                self.rig.run_message(self.rig.second_owner())
                self.rig.time.sleep(0.5)

    # --- choosing --------------------------------------------------------------------------------

    def container(self, which: int) -> FakeContainer:
        known = list(self.world.containers.values())
        return known[which % len(known)]

    def pane_id(self, which: int, *states: str) -> str:
        """A pane, mostly one in these states."""
        known = list(self.contract.panes.values())
        fitting = [pane for pane in known if pane.state in states]
        if fitting and which % 5:
            known = fitting
        return known[-1 - which % len(known)].pane_id if known else NOBODY

    def circumstances(self) -> Circumstances:
        heard = self.watch.rows("SELECT MAX(heartbeat_at) AS at FROM worker")[0]["at"] or 0
        known = self.watch.rows("SELECT id, active FROM container")
        sessions = {
            container.id: {pane.session.name: pane.session.owner for pane in container.tmux.panes}
            for container in self.world.containers.values()
        }
        return Circumstances(
            worker_heard=heard > self.rig.time.now - 15_000_000,
            active={row["id"]: bool(row["active"]) for row in known},
            sessions={row["id"]: sessions.get(row["id"], {}) for row in known},
        )

    # --- orders ----------------------------------------------------------------------------------

    def order_removal(self, pane_id: str) -> None:
        """M6, as far as it is answered at once."""
        self.rig.tower.begin_pane_removal(HOST, pane_id)

    def order_recreation(self, pane_id: str, key: str | None = None) -> dict[str, Any]:
        """M7."""
        return self.rig.tower.recreate_pane(
            HOST, predecessor_pane_id=pane_id, launch_command_override=None, idempotency_key=key
        )
