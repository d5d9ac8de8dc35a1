"""Containers that fail in every way: the bench interface over tmux servers in memory.

Before and after the effect of each call stands a *passage*, where the test may do something else
meanwhile: kill the worker, stop the container, let another worker run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from agenttower.bench.interface import (
    BenchEvent,
    BenchInfo,
    BenchScan,
    Deadline,
    ExitWatcher,
    Mount,
    PaneExit,
    PaneSpec,
    PaneTarget,
    PaneView,
    Screen,
)
from agenttower.errors import (
    BenchConnectionLost,
    BenchTimeout,
    ContainerInactive,
    ContainerNotFound,
    DockerUnavailable,
    TmuxCommandFailed,
)
from tests.model.fake_time import FakeTime
from tests.model.fake_tmux import FakeTmux, Pane

T = TypeVar("T")


class Fault(StrEnum):
    """What a call meets. A timed-out or lost call's outcome is unknown to the caller."""

    TIMEOUT_BEFORE = "timeout, nothing done"
    TIMEOUT_AFTER = "timeout, done"
    TIMEOUT_LATE = "timeout, done later"
    LOST_BEFORE = "connection lost, nothing done"
    LOST_AFTER = "connection lost, done"
    TMUX_ERROR = "tmux refuses"
    BLIND = "panes are not seen once"
    SLOW = "done, but the caller was asleep for longer than a lease"


BEFORE = (Fault.TIMEOUT_BEFORE, Fault.LOST_BEFORE, Fault.TMUX_ERROR, Fault.TIMEOUT_LATE)
ASLEEP_S = 46.0


@dataclass
class FakeContainer:
    """A container and its tmux server, which ends with it."""

    id: str
    name: str
    mounted: bool = True
    """Whether it sees the log directory."""
    status: str = "running"
    tmux: FakeTmux = field(default_factory=FakeTmux)
    log_deaf: bool = False
    """Log pipes start and write nothing: the disk in the container is full."""
    was_blind: bool = False
    """Whether the last look at its panes was a blind one; the next is not, then."""
    on_thaw: list[Callable[[], object]] = field(default_factory=list)
    """What was sent to it while it was paused."""


class World:
    """All containers, and what shall go wrong."""

    def __init__(self, time: FakeTime, logs_dir: Path, containers: Sequence[FakeContainer]) -> None:
        self.time = time
        self.logs_dir = logs_dir
        self.containers = {container.id: container for container in containers}
        self.faults: list[tuple[int, Fault]] = []
        """The next fault, each after letting so many calls pass."""
        self.stuck = ""
        """Calls of this name time out, until further notice."""
        self.docker_down = 0
        """How many of the next questions to the engine are refused."""
        self.passage: Callable[[str], None] = lambda name: None
        self.late: list[Callable[[], object]] = []
        self.told: list[BenchEvent] = []
        """Events of the engine that nobody has heard yet."""
        self.harm = 0
        """Rises with everything that goes wrong, so that a test can see whether something did."""

    def next_fault(self, call: str) -> Fault | None:
        if call == self.stuck:
            self.harm += 1
            return Fault.TIMEOUT_BEFORE
        if not self.faults:
            return None
        skip, fault = self.faults[0]
        if fault is Fault.BLIND and call != "find_panes":
            return None
        if skip:
            self.faults[0] = (skip - 1, fault)
            return None
        self.faults.pop(0)
        self.harm += 1
        return fault

    def ask_engine(self, bench_id: str = "") -> FakeContainer | None:
        if self.docker_down:
            self.docker_down -= 1
            self.harm += 1
            raise DockerUnavailable("the engine does not answer; is it running?")
        if not bench_id:
            return None
        if bench_id not in self.containers:
            raise ContainerNotFound(bench_id)
        return self.containers[bench_id]

    # --- what people and programs do -------------------------------------------------------------

    def kill_server(self, container: FakeContainer) -> None:
        if container.status in ("running", "paused"):
            self.harm += 1
            container.tmux = FakeTmux()

    def stop(self, container: FakeContainer) -> None:
        if container.status == "running":
            self.kill_server(container)
            self._change(container, "exited", "die")

    def pause(self, container: FakeContainer) -> None:
        if container.status == "running":
            self._change(container, "paused", "pause")

    def go_on(self, container: FakeContainer) -> None:
        """Start or unpause it."""
        if container.status == "exited":
            self._change(container, "running", "start")
        elif container.status == "paused":
            self._change(container, "running", "unpause")
            waiting, container.on_thaw = container.on_thaw, []
            for effect in waiting:
                effect()

    def destroy(self, container: FakeContainer) -> None:
        self.kill_server(container)
        self._change(container, "removed", "destroy")
        del self.containers[container.id]

    def _change(self, container: FakeContainer, status: str, told: str) -> None:
        self.harm += 1
        container.status = status
        self.told.append(BenchEvent(told, container.id, container.name))

    def kill_pane(self, container: FakeContainer, pane: Pane) -> None:
        self.harm += 1
        container.tmux.panes.remove(pane)

    def end_program(self, container: FakeContainer, pane: Pane) -> None:
        self.harm += 1
        if pane.exit is None:
            pane.exit = PaneExit(1, 500)

    def break_pipe(self, container: FakeContainer, pane: Pane) -> None:
        """The pipe ends, and none will write in this container until further notice."""
        self.harm += 1
        pane.piped = False
        container.log_deaf = not container.log_deaf

    def rename_session(self, container: FakeContainer, pane: Pane) -> None:
        self.harm += 1
        if "renamed" not in container.tmux.session_names():
            pane.session.name = "renamed"

    def standing(self) -> set[str]:
        """The tokens of all panes of ours."""
        return {
            pane.token
            for container in self.containers.values()
            for pane in container.tmux.panes
            if pane.token
        }

    def deliver_late(self) -> None:
        """What timed out takes effect now."""
        waiting, self.late = self.late, []
        for effect in waiting:
            effect()


class FakeBench:
    """Implements :class:`agenttower.bench.interface.Bench`."""

    def __init__(self, world: World, bench_id: str) -> None:
        self._world = world
        self._id = bench_id
        self._closed = False
        self._channel = False

    @property
    def info(self) -> BenchInfo:
        return info_of(self._world, self._world.containers[self._id])

    def session_names(self, deadline: Deadline) -> Collection[str]:
        return self._call("session_names", deadline, lambda tmux: tmux.session_names())

    def owns_session(self, owner: str, deadline: Deadline) -> bool:
        return self._call("owns_session", deadline, lambda tmux: tmux.owns(owner) is not None)

    def find_panes(self, tokens: Collection[str] | None, deadline: Deadline) -> dict[str, PaneView]:
        def look(tmux: FakeTmux) -> dict[str, PaneView]:
            return {t: v for t, v in tmux.views().items() if tokens is None or t in tokens}

        return self._call("find_panes", deadline, look, blind=dict)

    def create_pane(self, spec: PaneSpec, deadline: Deadline) -> PaneView:
        def make(tmux: FakeTmux) -> bool:
            made = tmux.create(spec, self._id)
            if made:
                self._pipe(tmux.find(spec.token), spec.log_path)
            return made

        if not self._call("create_pane", deadline, make, writes=True):
            self._call("adopt", deadline, lambda tmux: self._adopt(tmux, spec), writes=True)
        container = self._world.containers.get(self._id)
        views = {} if container is None else container.tmux.views()
        if spec.token not in views:
            raise TmuxCommandFailed("the pane was closed again at once")
        return views[spec.token]

    def _adopt(self, tmux: FakeTmux, spec: PaneSpec) -> None:
        pane = tmux.find(spec.token)
        if pane is not None:
            pane.title = spec.title
            self._pipe(pane, spec.log_path)

    def set_title(self, token: str, title: str, deadline: Deadline) -> bool:
        def change(tmux: FakeTmux) -> bool:
            pane = tmux.find(token)
            if pane is not None:
                pane.title = title
            return pane is not None

        return self._call("set_title", deadline, change, writes=True)

    def ensure_pipe(
        self, token: str, log_path: str, deadline: Deadline, *, anew: bool = False
    ) -> bool:
        def pipe(tmux: FakeTmux) -> bool:
            pane = tmux.find(token)
            if pane is not None and anew:
                pane.piped = False
            self._pipe(pane, log_path)
            return pane is not None

        return self._call("ensure_pipe", deadline, pipe, writes=True)

    def kill_pane(self, token: str, deadline: Deadline) -> bool:
        return self._call("kill_pane", deadline, lambda tmux: tmux.kill(token), writes=True)

    def kill_leftovers(self, tokens: Collection[str], deadline: Deadline) -> int:
        return self._call(
            "kill_leftovers", deadline, lambda tmux: sum(map(tmux.kill, tokens)), writes=True
        )

    def capture_tail(self, token: str, lines: int, deadline: Deadline) -> str:
        return self._call("capture_tail", deadline, lambda tmux: "bye" if tmux.find(token) else "")

    def screen(self, target: PaneTarget, deadline: Deadline) -> Screen | None:
        """Nothing in the model waits for a person."""
        return None

    def watch_exits(self) -> ExitWatcher:
        raise AssertionError("the model check looks by itself")

    def bench_uid(self, deadline: Deadline) -> int:
        return self._call("bench_uid", deadline, lambda tmux: os.geteuid())

    def close(self) -> None:
        self._closed = True

    def _pipe(self, pane: Pane | None, log_path: str | None) -> None:
        """tmux starts the pipe, whose first act is to touch the file."""
        if pane is None or pane.piped or log_path is None:
            return
        pane.piped = True
        if not self._world.containers[self._id].log_deaf:
            with open(log_path, "a", encoding="utf-8"):
                os.utime(log_path)

    def _call(
        self,
        name: str,
        deadline: Deadline,
        effect: Callable[[FakeTmux], T],
        *,
        writes: bool = False,
        blind: Callable[[], T] | None = None,
    ) -> T:
        world = self._world
        world.passage(f"{name}.before")
        if world.time.monotonic() >= deadline:
            raise BenchTimeout("the deadline had passed already; nothing was sent")
        container = self._reach(deadline, effect if writes else None)
        fault = world.next_fault(name)
        if fault in BEFORE:
            if fault is Fault.TIMEOUT_LATE and writes:
                world.late.append(lambda: self._later(effect))
            self._fail(fault, deadline)
        result = effect(container.tmux)
        if blind is not None:
            container.was_blind = fault is Fault.BLIND and not container.was_blind
            if container.was_blind:
                return blind()
        if fault is Fault.SLOW:
            world.time.sleep(ASLEEP_S)
        elif fault is not None and fault is not Fault.BLIND:
            self._fail(fault, deadline)
        world.passage(f"{name}.after")
        return result

    def _reach(
        self, deadline: Deadline, write: Callable[[FakeTmux], object] | None
    ) -> FakeContainer:
        """The container, if a channel to it stands or can be opened."""
        if self._closed:
            raise BenchConnectionLost("this handle on the bench was closed; nothing was sent")
        container = self._world.containers.get(self._id)
        if container is None:
            raise ContainerNotFound(self._id)
        if container.status == "paused" and self._channel:
            self._channel = False
            if write is not None:
                container.on_thaw.append(lambda: self._later(write))
            self._fail(Fault.TIMEOUT_BEFORE, deadline)
        if container.status != "running":
            self._channel = False
            raise ContainerInactive(f"container {container.name} is {container.status}; start it")
        self._channel = True
        return container

    def _later(self, effect: Callable[[FakeTmux], object]) -> None:
        container = self._world.containers.get(self._id)
        if container is not None and container.status == "running":
            try:
                effect(container.tmux)
            except Exception:  # nobody is there any more to be told
                return

    def _fail(self, fault: Fault, deadline: Deadline) -> None:
        if fault is Fault.TMUX_ERROR:
            raise TmuxCommandFailed("no space for new pane")
        self._channel = False
        if fault in (Fault.LOST_BEFORE, Fault.LOST_AFTER):
            raise BenchConnectionLost("the channel broke; the outcome is unknown")
        self._world.time.until(deadline)
        raise BenchTimeout("tmux did not answer in time; the outcome is unknown")


class FakeProvider:
    """Implements :class:`agenttower.bench.interface.BenchProvider`."""

    name = "docker"

    def __init__(self, world: World) -> None:
        self._world = world

    def scan(self, name_contains: Sequence[str]) -> BenchScan:
        self._world.ask_engine()
        return BenchScan(
            [
                info_of(self._world, c)
                for c in self._world.containers.values()
                if c.status in ("running", "paused")
            ]
        )

    def ping(self, timeout_s: float) -> bool:
        return True

    def inspect(self, bench_id: str) -> BenchInfo:
        container = self._world.ask_engine(bench_id)
        assert container is not None
        return info_of(self._world, container)

    def open(
        self,
        bench_id: str,
        role: str = "worker",
        instance: str = "",
        lock_dir: Path | None = None,
    ) -> FakeBench:
        container = self._world.ask_engine(bench_id)
        assert container is not None
        if container.status != "running":
            raise ContainerInactive(f"container {container.name} is {container.status}; start it")
        return FakeBench(self._world, bench_id)

    def events(self, stop: Callable[[], bool]) -> Iterator[BenchEvent]:
        raise AssertionError("the model check tells of events itself")

    def close(self) -> None:
        """Nothing is open."""


def info_of(world: World, container: FakeContainer) -> BenchInfo:
    logs = str(world.logs_dir)
    return BenchInfo(
        bench_id=container.id,
        name=container.name,
        provider="docker",
        image="fake",
        status=container.status,
        started_at="2026-01-01T00:00:00Z",
        mounts=[Mount(logs, logs, "bind", "", True)] if container.mounted else [],
    )
