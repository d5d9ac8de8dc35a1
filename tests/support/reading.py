"""A database with agents and logs, and a reader over them, without a tower."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agenttower.domain.agent_events import ACTIVITY
from agenttower.services.log_reader import LogReader
from agenttower.services.log_source import HostLogs, LogSource
from agenttower.services.reading_state import Look
from agenttower.services.rule_files import RuleBook
from agenttower.settings import EventRules
from agenttower.store.agent_events import event_object
from agenttower.store.database import Store, open_sqlite
from agenttower.store.migrate import migrate
from agenttower.store.models import Agent, Event, LogAttachment, LogOffset

CONTAINER = "c" * 64
START = 1_790_000_000_000_000
SECOND = 1_000_000


def agent_id(number: int) -> str:
    return f"agt_{number:012x}"


@dataclass
class Desk:
    """Agents by number, each with a log of its own, and the time."""

    store: Store
    root: Path
    settings: EventRules = field(default_factory=EventRules)
    now: int = START
    rung: int = 0

    def log(self, number: int = 1) -> Path:
        return self.root / "logs" / "bench" / f"{agent_id(number)}.log"

    def attach(
        self,
        number: int = 1,
        *,
        source: str = "explicit",
        offset: bool = True,
        container_id: str = CONTAINER,
        attachment: int | None = None,
    ) -> None:
        """An agent with an active attachment whose log is empty, or as it already is."""
        self.log(number).parent.mkdir(parents=True, exist_ok=True)
        self.log(number).touch()
        Agent.insert(
            agent_id=agent_id(number),
            container_id=container_id,
            tmux_socket_path="/tmp/tmux-1000/default",
            tmux_session_name="work",
            tmux_window_index=0,
            tmux_pane_index=number,
            tmux_pane_id=f"%{number}",
            role="slave",
            capability="",
            label=f"s{number}",
            project_path="",
            origin="adopted",
            created_at=self.now,
            last_registered_at=self.now,
            active=True,
        ).on_conflict_ignore().execute()
        LogAttachment.insert(
            fetched=0,
            fetched_size=0,
            attachment_id=f"atc_{attachment or number:012x}",
            agent_id=agent_id(number),
            log_path=str(self.log(number)),
            status="active",
            source=source,
            attached_at=self.now,
            last_status_at=self.now,
            created_at=self.now,
            via="pipe",
        ).execute()
        if offset:
            LogOffset.insert(
                agent_id=agent_id(number),
                log_path=str(self.log(number)),
                byte_offset=0,
                line_offset=0,
                last_event_offset=0,
                file_size_seen=0,
                created_at=self.now,
                updated_at=self.now,
            ).on_conflict_ignore().execute()

    def write(self, text: str | bytes, number: int = 1) -> None:
        data = text if isinstance(text, bytes) else text.encode()
        with self.log(number).open("ab") as file:
            file.write(data)
        os.utime(self.log(number), ns=(self.now * 1000, self.now * 1000))

    def reader(self, source: LogSource | None = None) -> LogReader:
        """A reader that has just been started: nothing is known but rows and files."""
        return LogReader(
            self.store,
            source or HostLogs(self.root / "logs"),
            RuleBook(self.root / "rules"),
            self.settings,
            lambda: self.now,
            self._ring,
        )

    def _ring(self) -> None:
        self.rung += 1

    def later(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)

    def read_all(self, reader: LogReader | None = None) -> list[Look]:
        """Look until nothing is left for the next look."""
        reader = reader or self.reader()
        looks = [reader.look()]
        while looks[-1].more:
            looks.append(reader.look())
            assert len(looks) < 10_000
        return looks

    def offset(self, number: int = 1) -> LogOffset:
        return LogOffset.get(LogOffset.agent_id == agent_id(number))

    def status(self, number: int = 1) -> str:
        return LogAttachment.get(LogAttachment.agent_id == agent_id(number)).status

    def events(self, number: int | None = None) -> list[dict[str, Any]]:
        rows = Event.select().where(Event.kind == "agent").order_by(Event.id)
        shown = [event_object(row) for row in rows]
        return [e for e in shown if number is None or e["agent_id"] == agent_id(number)]

    def types(self, number: int | None = None) -> list[str]:
        return [event["event_type"] for event in self.events(number)]

    def audit(self) -> list[dict[str, Any]]:
        rows = Event.select().where(Event.kind == "audit").order_by(Event.id)
        return [{"type": row.event_type} | json.loads(row.payload) for row in rows]

    def lines_told(self, number: int | None = None) -> int:
        """How many lines the events of an agent account for."""
        return sum(
            event["debounce"]["collapsed_count"] if event["event_type"] == ACTIVITY else 1
            for event in self.events(number)
            if event["byte_range_end"] > event["byte_range_start"]
        )


@contextmanager
def desk(root: Path, settings: EventRules | None = None) -> Iterator[Desk]:
    """A migrated database in ``root``."""
    store = open_sqlite(root / "state.sqlite3")
    try:
        migrate(store)
        yield Desk(store, root, settings or EventRules())
    finally:
        store.close_thread()
