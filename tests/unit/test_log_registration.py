"""An agent that is registered with its log: both rows, or neither and no pipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from agenttower import clock
from agenttower.bench.interface import BenchInfo, PaneTarget
from agenttower.bench.logfiles import UNTOUCHED
from agenttower.engine import presence
from agenttower.engine.engine import Engine
from agenttower.errors import AgentNotFound, AgentTowerError
from agenttower.paths import Paths
from agenttower.services.agent_log_steps import LogParts, handlers
from agenttower.services.agent_logs import AgentLogs, NewRegistration
from agenttower.services.caller import Caller
from agenttower.services.log_fetch import LogFetch
from agenttower.services.log_place import LogPlaces
from agenttower.services.turns import Turns
from agenttower.store import agent_logs, agents
from agenttower.store.database import Store, Transaction, open_sqlite
from agenttower.store.migrate import migrate
from agenttower.store.models import Container, Step

BENCH, AGENT = "a" * 64, "agt_000000000001"
TARGET = PaneTarget("/s", "%1", 7)


@dataclass
class FakeBench:
    """A pane and its pipe: what matters here is in which order things are done."""

    info: BenchInfo
    into: str | None = None
    calls: list[str] = field(default_factory=list)

    def bench_uid(self, deadline: float) -> int:
        return 0

    def is_piped(self, target: PaneTarget, deadline: float) -> bool:
        return self.into is not None

    def is_written(self, path: str, deadline: float) -> bool:
        return self.into == path

    def pipe_into(self, target: PaneTarget, path: str, deadline: float) -> bool:
        self.calls.append(f"pipe {Path(path).name}")
        assert Path(path).stat().st_mtime_ns == UNTOUCHED
        Path(path).touch()
        self.into = path
        return False

    def unpipe(self, target: PaneTarget, deadline: float) -> bool:
        self.calls.append("unpipe")
        self.into = None
        return True


class Queue:
    def post(self, step_id: int, stage: str, not_before: int) -> None: ...

    def ring(self) -> None: ...


@dataclass
class Registrar:
    refuse: bool = False

    def register(self, transaction: Transaction, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        agents.upsert(dict(wanted), clock.now())
        if self.refuse:
            raise AgentNotFound("its parent has gone meanwhile")
        return {"agent_id": wanted["agent_id"], "created_or_reactivated": "created"}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    home = tmp_path.resolve()
    paths = Paths(home / "c/o/a", home / "state", home / "k/o/a")
    paths.logs_dir.mkdir(parents=True, mode=0o700)
    return paths


@pytest.fixture
def store(paths: Paths) -> Iterator[Store]:
    store = open_sqlite(paths.database)
    migrate(store)
    Container.insert(
        id=BENCH, name="b", provider="local", image="", status="running", started_at="",
        labels="{}", mounts="[]", env_names="[]", has_init=True, active=True, first_seen_at=1,
        last_scanned_at=1,
    ).execute()  # fmt: skip
    presence.announce(store, "w", presence.this_process(), clock.now())
    yield store
    store.close_thread()


@dataclass
class Scene:
    store: Store
    bench: FakeBench
    logs: AgentLogs
    engine: Engine
    registrar: Registrar

    def begin(self, change: str = "change") -> bool:
        document = {
            "agent_id": AGENT, "container_id": BENCH, "tmux_socket_path": "/s",
            "tmux_session_name": "s", "tmux_window_index": 0, "tmux_pane_index": 0,
            "tmux_pane_id": "%1", "role": "slave", "capability": "shell", "label": "",
            "project_path": "", "origin": "adopted",
        }  # fmt: skip
        wanted = NewRegistration(AGENT, BENCH, TARGET, document)
        return self.logs.begin_registration(Caller("host", uid=5), change, wanted, None)

    def work(self) -> None:
        while found := Step.get_or_none(Step.status == "pending"):
            self.engine.run(found.id, "w")


@pytest.fixture
def scene(store: Store, paths: Paths) -> Scene:
    info = BenchInfo(
        bench_id=BENCH, name="b", provider="local", image="", status="running", started_at=""
    )
    bench, registrar = FakeBench(info), Registrar()
    benches = cast(Any, {BENCH: bench})
    places, turns = LogPlaces(paths, fallback=False), Turns()
    engine = Engine(store, Queue(), clock.now)
    fetch = LogFetch(store, paths, turns)
    engine.register(
        handlers(
            LogParts(
                store, benches, places, fetch, turns, clock.now, lambda transaction: None, registrar
            )
        )
    )
    return Scene(store, bench, AgentLogs(store, engine, places, clock.now), engine, registrar)


def test_both_are_written_together(scene: Scene) -> None:
    assert scene.begin()
    assert scene.logs.outcome("change") is None
    assert not scene.begin("another"), "one at a time"
    assert agents.by_id(AGENT) is None
    scene.work()
    outcome = scene.logs.outcome("change")
    assert outcome is not None
    assert outcome["registration"] == {"agent_id": AGENT, "created_or_reactivated": "created"}
    assert outcome["attach_log"]["source"] == "register_self"
    assert outcome["attach_log"]["is_new"]
    active = agent_logs.current(AGENT)
    assert active is not None
    assert active.status == "active"
    assert scene.bench.calls == [f"pipe {AGENT}.log"]
    assert scene.begin("change"), "asked again, nothing more is ordered"
    scene.work()
    assert scene.bench.calls == [f"pipe {AGENT}.log"]


def test_neither_where_the_agent_is_refused(scene: Scene) -> None:
    scene.registrar.refuse = True
    assert scene.begin()
    scene.work()
    with pytest.raises(AgentTowerError, match="gone meanwhile") as caught:
        scene.logs.outcome("change")
    assert caught.value.code == "agent_not_found"
    assert agents.by_id(AGENT) is None
    assert agent_logs.newest(AGENT) is None
    assert scene.bench.calls == [f"pipe {AGENT}.log", "unpipe"]
    scene.registrar.refuse = False
    assert scene.begin("again")
    scene.work()
    assert scene.logs.outcome("again") is not None
