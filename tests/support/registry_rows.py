"""A database with benches and panes in it, and benches that answer a scan as a test says."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from agenttower.bench.interface import Discovery, FoundPane, SocketFailure
from agenttower.bench.registry import Benches
from agenttower.errors import ContainerNotFound
from agenttower.services.agent_settings import AgentSettings
from agenttower.services.caller import HOST, Caller
from agenttower.services.discovery import PaneDiscovery
from agenttower.services.registration import Registration
from agenttower.store import containers
from agenttower.store.containers import Seen
from agenttower.store.database import Store, open_sqlite
from agenttower.store.migrate import migrate
from agenttower.store.models import Event, ManagedLayout, ManagedPane
from agenttower.store.panes import PaneKey

C1, C2 = "a" * 64, "b" * 64
DEFAULT = "/tmp/tmux-0/default"
OTHER = "/tmp/tmux-0/other"
PANE_ID = "0b8f6c1e-3a52-4d0e-9f57-2f1c6a7d8e90"
TOKEN = PANE_ID.replace("-", "")


def found(**changes: Any) -> FoundPane:
    """A pane as a bench finds it."""
    plain = FoundPane(
        socket_path=DEFAULT, session_name="work", window_index=0, pane_index=0, pane_id="%0",
        pane_pid=100, tty="/dev/pts/0", current_command="bash", current_path="/src", title="t",
        focused=True, server="7 1000",
    )  # fmt: skip
    return replace(plain, **changes)


def seen(*panes: FoundPane, sockets: tuple[str, ...] = (), **changes: Any) -> Discovery:
    """A discovery of these panes, on their sockets and those named."""
    listed = tuple(dict.fromkeys([pane.socket_path for pane in panes] + list(sockets)))
    return Discovery("root", panes, listed, **changes)


def no_answer(socket_path: str | None = DEFAULT) -> SocketFailure:
    return SocketFailure(socket_path, "docker_exec_timeout", "it did not answer")


Answer = Discovery | Exception


@dataclass
class FakeBench:
    answer: Answer

    def discover_panes(self, deadline: float) -> Discovery:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class FakeBenches:
    """Answers of containers by their ids; a missing one is not known to any engine."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []

    def get(self, bench_id: str) -> FakeBench:
        self.asked.append(bench_id)
        if bench_id not in self.answers:
            raise ContainerNotFound(bench_id)
        return FakeBench(self.answers[bench_id])


@dataclass
class Registry:
    """The services of panes and agents over a database of their own."""

    store: Store
    benches: FakeBenches = field(default_factory=FakeBenches)
    clock: Callable[[], int] = field(default_factory=lambda: itertools.count(1_000_000).__next__)

    def __post_init__(self) -> None:
        self.discovery = PaneDiscovery(
            self.store, cast(Benches, self.benches), self.clock, lambda: None
        )
        self.registration = Registration(self.store, self.clock, lambda: None)
        self.settings = AgentSettings(self.store, self.clock, lambda: None)

    def container(self, container_id: str, name: str, *, active: bool = True) -> None:
        row = Seen(
            id=container_id, name=name, provider="docker", image="i", status="running",
            started_at="", labels="{}", mounts="[]", env_names="[]", config_user="dev:dev",
            working_dir=None, has_init=True,
        )  # fmt: skip
        with self.store.transaction():
            containers.reconcile([row], [], [], self.clock())
            containers.set_status(container_id, "running", active=active)

    def scan(self, *answers: FoundPane, **more: Any) -> dict[str, Any]:
        """Scan the first container, which answers with these panes."""
        self.benches.answers[C1] = seen(*answers, **more)
        return self.scan_as(HOST, C1)

    def scan_as(self, caller: Caller, container: str | None) -> dict[str, Any]:
        done = self.discovery.scan(caller, container)
        assert done is not None
        return done

    def register(self, pane: FoundPane, caller: Caller = HOST, **given: Any) -> dict[str, Any]:
        key = PaneKey(
            C1, pane.socket_path, pane.session_name, pane.window_index, pane.pane_index,
            pane.pane_id,
        )  # fmt: skip
        wanted = self.registration.wanted(caller, key, given)
        return self.registration.register_agent(wanted)

    def rows(self, table: str) -> list[Mapping[str, Any]]:
        """Every row of a table, as it is stored."""
        cursor = self.store.execute(f"SELECT * FROM {table}")
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def audits(self, event_type: str) -> list[str]:
        query = Event.select().where(Event.event_type == event_type).order_by(Event.id)
        return [row.payload for row in query]


@contextmanager
def open_registry(directory: Path) -> Iterator[Registry]:
    """With one active container, ``one`` (:data:`C1`)."""
    store = open_sqlite(directory / "state.sqlite3")
    migrate(store)
    registry = Registry(store)
    registry.container(C1, "one")
    try:
        yield registry
    finally:
        store.close_thread()


def managed(state: str = "ready", container_id: str = C1) -> None:
    """A managed pane with :data:`TOKEN`."""
    ManagedLayout.insert(
        layout_id="L", container_id=container_id, template_name="t", template_layout="tiled",
        tmux_session_name="work", tmux_session_target="work", label_prefix="", state="ready",
        intended_pane_count=1, last_sequence=0, revision=0, created_at=1, updated_at=1,
    ).execute()  # fmt: skip
    ManagedPane.insert(
        pane_id=PANE_ID, layout_id="L", container_id=container_id, slot=0, role="slave",
        capability="x", label="s1", state=state, launch="{}", tmux_session_name="work",
        chain_depth=0, reserved_agent_id="agt_0123456789ab", log_path="/l", log_attached=False,
        pending_marker_token="p" if state == "creating" else None, created_at=1, updated_at=1,
    ).execute()  # fmt: skip
