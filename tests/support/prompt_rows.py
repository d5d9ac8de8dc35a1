"""A database with benches, agents and panes to send prompts to, and a clock that stands still."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agenttower.clock import SECOND, Micros
from agenttower.services.prompt_changes import PromptChanges, Wakers
from agenttower.services.prompts import NewPrompt, PromptQueue
from agenttower.services.switch import RoutingSwitch
from agenttower.store.database import Store, open_sqlite
from agenttower.store.migrate import migrate
from agenttower.store.models import Agent, Container, Event, Pane
from agenttower.store.prompts import PromptRecord

BENCH = "b" * 64
START: Micros = 1_778_000_000 * SECOND
SOCKET = "/tmp/tmux-0/default"


@dataclass
class Rows:
    """The queue under test, and how to fill the tables around it."""

    store: Store
    now: Micros = START
    rung: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        wakers = Wakers(lambda: self.rung.append("prompts"), lambda: self.rung.append("events"))
        self.changes = PromptChanges(self.store, lambda: self.now, wakers)
        self.switch = RoutingSwitch(
            self.store, lambda: self.now, lambda: self.rung.append("switch")
        )
        self.queue = PromptQueue(self.store, self.switch, lambda: self.now, self.changes)
        self.container(BENCH)

    def container(self, container_id: str, *, active: bool = True) -> str:
        Container.insert(
            id=container_id, name=f"bench-{container_id[0]}", provider="docker", image="i",
            status="running", started_at="t", labels="{}", mounts="[]", env_names="[]",
            has_init=True, active=active, first_seen_at=self.now, last_scanned_at=self.now,
        ).execute()  # fmt: skip
        return container_id

    def agent(
        self,
        role: str = "slave",
        label: str = "",
        *,
        container_id: str = BENCH,
        active: bool = True,
        pane: bool | None = True,
        capability: str = "claude",
        **more: Any,
    ) -> str:
        """An adopted agent. ``pane``: whether a scan shows its pane; ``None``: never seen."""
        number = next(self._numbers)
        agent_id = f"agt_{number:012x}"
        key = {
            "container_id": container_id,
            "tmux_socket_path": SOCKET,
            "tmux_session_name": "work",
            "tmux_window_index": 0,
            "tmux_pane_index": number,
            "tmux_pane_id": f"%{number}",
        } | more
        Agent.insert(
            **key, agent_id=agent_id, role=role, capability=capability, label=label or f"a{number}",
            project_path="", origin="adopted", created_at=self.now, last_registered_at=self.now,
            active=active, tmux_server="1 1",
        ).execute()  # fmt: skip
        if pane is not None:
            Pane.insert(
                **key, tmux_server="1 1", container_user="root", pane_pid=1000 + number, token="",
                pane_tty="/dev/pts/1", pane_current_command="claude", pane_current_path="/",
                pane_title="", pane_active=True, active=pane, first_seen_at=self.now,
                last_scanned_at=self.now, last_seen_at=self.now,
            ).execute()  # fmt: skip
        return agent_id

    def send(self, sender: str, target: str, body: bytes = b"hello", **more: Any) -> PromptRecord:
        with self.store.transaction() as transaction:
            return self.queue.enqueue(transaction, NewPrompt(sender, target, body, **more))

    def told(self) -> list[str]:
        """The types of all audit lines of the queue."""
        rows = Event.select().where(Event.kind == "queue").order_by(Event.id)
        return [row.event_type for row in rows]


@contextmanager
def prompt_rows(directory: Path) -> Iterator[Rows]:
    """A fresh database in ``directory``."""
    store = open_sqlite(directory / "state.sqlite3")
    try:
        migrate(store)
        yield Rows(store)
    finally:
        store.close_thread()
