"""A database with agents, events and routing in it, and no process around it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agenttower.domain.route_rules import Rule
from agenttower.services.caller import HOST
from agenttower.services.prompt_changes import PromptChanges, Wakers
from agenttower.services.prompts import NewPrompt, PromptQueue
from agenttower.services.routes import RouteService
from agenttower.services.routing import RoutedPrompt, Routing
from agenttower.services.routing_tally import RoutingTally
from agenttower.services.switch import RoutingSwitch
from agenttower.settings import RoutingRules
from agenttower.store.database import Store, Transaction, open_sqlite
from agenttower.store.migrate import migrate
from agenttower.store.models import Agent, Container, Event, Pane, Prompt

BENCH = "c" * 64
MASTER = "agt_00000000000a"
SLAVE = "agt_00000000000b"
OTHER = "agt_00000000000c"
NOON = 1_800_000_000_000_000


def nothing() -> None:
    """A bell that nobody hears."""


class Wired:
    """One store, its queue, its routes and its routing, at a time that tests move."""

    def __init__(self, store: Store, rules: RoutingRules | None = None) -> None:
        self.store = store
        self.now = NOON
        self.rules = rules or RoutingRules()
        self.tally = RoutingTally(NOON)
        self.switch = RoutingSwitch(store, self.clock, nothing)
        changes = PromptChanges(store, self.clock, Wakers(nothing, nothing))
        self.queue = PromptQueue(
            store,
            self.switch,
            self.clock,
            changes,
            routes_prompt_masters=self.rules.prompt_masters,
        )
        self.routes = RouteService(store, self.rules, self.clock, nothing)
        self.routing = Routing(store, self.enqueue, self.rules, self.clock, nothing, self.tally)

    def clock(self) -> int:
        self.now += 1000
        return self.now

    def enqueue(self, transaction: Transaction, routed: RoutedPrompt) -> None:
        self.queue.enqueue(
            transaction,
            NewPrompt(
                sender=routed.master.agent_id,
                target=routed.target.agent_id,
                body=routed.text.encode(),
                route_id=routed.route_id,
                event_id=routed.event_id,
            ),
        )

    def agent(self, agent_id: str, role: str, label: str, **columns: Any) -> None:
        """An adopted agent whose pane the last scan has seen."""
        place = {
            "container_id": columns.pop("container_id", BENCH),
            "tmux_socket_path": "/tmp/tmux-0/default",
            "tmux_session_name": "s",
            "tmux_window_index": 0,
            "tmux_pane_index": int(agent_id[-1], 16),
            "tmux_pane_id": f"%{int(agent_id[-1], 16)}",
        }
        with self.store.transaction():
            Container.insert(
                id=place["container_id"],
                name=f"bench-{place['container_id'][:1]}",
                provider="docker",
                image="i",
                status="running",
                started_at="",
                labels="{}",
                mounts="[]",
                env_names="[]",
                has_init=True,
                active=True,
                first_seen_at=NOON,
                last_scanned_at=NOON,
            ).on_conflict_ignore().execute()
            Agent.insert(
                **{
                    "agent_id": agent_id,
                    "role": role,
                    "label": label,
                    "capability": "claude",
                    "project_path": "",
                    "origin": "adopted",
                    "created_at": NOON,
                    "last_registered_at": NOON,
                    "active": True,
                    **place,
                    **columns,
                }
            ).execute()
            Pane.insert(
                **place, tmux_server="1", container_user="root", pane_pid=1, pane_tty="/dev/pts/1",
                pane_current_command="sh", pane_current_path="/", pane_title="", token="",
                pane_active=True, active=True, first_seen_at=NOON, last_scanned_at=NOON,
                last_seen_at=NOON,
            ).execute()  # fmt: skip

    def event(self, event_type: str = "error", agent_id: str = SLAVE, **payload: Any) -> int:
        """An event as the log reader writes them."""
        with self.store.transaction():
            written: int = Event.insert(
                kind="agent",
                event_type=event_type,
                actor="daemon",
                agent_id=agent_id,
                container_id=payload.pop("container_id", BENCH),
                byte_start=0,
                payload=json.dumps({"excerpt": "it broke", **payload}),
                created_at=self.clock(),
            ).execute()
        return written

    def route(self, caller: Any = HOST, **said: Any) -> str:
        """A route from errors of anybody to the slave."""
        rule = {
            "event_type": "error", "source_scope_kind": "any", "source_scope_value": None,
            "target_rule": "explicit", "target_value": SLAVE, "master_rule": "auto",
            "master_value": None, "template": "{source_label}: {event_excerpt}", **said,
        }  # fmt: skip
        return str(self.routes.add(caller, Rule(**rule))["route_id"])

    def prompts(self) -> list[tuple[str, int, str, str]]:
        """Route, event, state and text of every prompt, in order."""
        return [
            (row.route_id, row.event_id, row.state, bytes(row.envelope_body).decode())
            for row in Prompt.select().order_by(Prompt.id)
        ]

    def lines(self, *event_types: str) -> list[dict[str, Any]]:
        """What the outbox holds of kinds ``route`` and ``queue``, in order."""
        rows = Event.select().where(Event.kind.in_(["route", "queue"])).order_by(Event.id)
        lines = [json.loads(row.payload) for row in rows]
        return [x for x in lines if not event_types or x["event_type"] in event_types]


@contextmanager
def wired(directory: Path, rules: RoutingRules | None = None) -> Iterator[Wired]:
    """A fresh database with a master, a slave and another slave."""
    store = open_sqlite(directory / "state.sqlite3")
    try:
        migrate(store)
        tower = Wired(store, rules)
        tower.agent(MASTER, "master", "boss")
        tower.agent(SLAVE, "slave", "worker")
        tower.agent(OTHER, "slave", "helper", capability="codex")
        yield tower
    finally:
        store.close_thread()
