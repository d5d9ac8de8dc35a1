"""Two real towers with real benches, in which every answer and every refusal can be had."""

from __future__ import annotations

import base64
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from docker.models.containers import Container

from tests.integration.test_agents import key
from tests.integration.test_bench_clients import ask_from
from tests.support.docker import BenchFactory
from tests.support.layouts import settled, tmux
from tests.support.tower import Tower
from tests.support.waiting import wait_until

NOBODY = "agt_000000000000"
NO_ID = "00000000-0000-4000-8000-000000000000"
SESSIONS = ("taken", "boss", "twin1", "twin2", "gone", "free", "free2", "swarm")


def text(body: bytes | str = b"hello") -> str:
    """A body as it is sent."""
    return base64.b64encode(body.encode() if isinstance(body, str) else body).decode()


def opened_session(tower: Tower) -> str:
    """The token of a new app session."""
    return str(tower.result("app.hello")["app_session_token"])


class Scene:
    """A tower with agents that somebody started, layouts of ours, and things that went wrong.

    Of ``taken`` there is a log and an event; ``gone`` has lost its pane; ``twin1`` and ``twin2``
    have one label; ``free``, ``free2`` and ``swarm`` are panes without an agent.
    """

    def __init__(self, tower: Tower, factory: BenchFactory) -> None:
        state = tower.home.paths.state_dir
        self.tower = tower
        self.own, self.other, self.bare = (factory(mounts={state: str(state)}) for _ in range(3))
        self.result("scan_containers")
        for name in SESSIONS:
            tmux(self.own, "new-session", "-d", "-s", name, "cat")
        tmux(self.other, "new-session", "-d", "-s", "away", "cat")
        tmux(self.bare, "new-session", "-d", "-s", "lost", "cat")
        self.result("scan_panes")
        found = self.result("list_panes")["panes"]
        self.keys = {row["tmux_session_name"]: key(row) for row in found}
        self.ids = {
            name: self.register(name, role="slave", label=name[:4])["agent_id"]
            for name in ("taken", "boss", "twin1", "twin2", "gone", "away", "lost")
        }
        self.result("set_role", agent_id=self.ids["boss"], role="master", confirm=True)
        tmux(self.own, "kill-session", "-t", "gone")
        self.result("scan_panes", container=self.own.id)
        self.layout = self.created("work")
        self.old = self.created("old", label_prefix="o-")
        self.panes = self.pane_ids(self.layout)
        self.removed = self.pane_ids(self.old)[0]
        self.result("managed.pane.remove", pane_id=self.removed)
        self.result("attach_log", agent_id=self.ids["taken"])
        tmux(self.own, "send-keys", "-t", "taken", "Error: it broke", "Enter")
        self.event = wait_until(self._event, 30, "an event of what was typed")
        self.followed_at = time.monotonic()
        self.follower = str(self.result("events.follow_open")["session_id"])
        self.route = str(self.result("routes.add", **self.rule())["route_id"])
        self.held = str(self.prompt_for("gone"))
        self.token = opened_session(tower)

    @cached_property
    def held_too(self) -> str:
        """Another prompt that waits for a decision."""
        return self.prompt_for("gone")

    @cached_property
    def discarded(self) -> str:
        """Another pane that was removed."""
        pane_id = self.pane_ids(self.old)[-1]
        self.result("managed.pane.remove", pane_id=pane_id)
        return pane_id

    @cached_property
    def route_too(self) -> str:
        return str(self.result("routes.add", **self.rule())["route_id"])

    # --- asking ----------------------------------------------------------------------------------

    def result(self, method: str, **params: Any) -> Any:
        return self.tower.result(method, params)

    def from_bench(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """What a client in the first bench is answered."""
        return ask_from(self.own, self.tower, method, params)

    # --- agents, layouts, prompts ----------------------------------------------------------------

    def registration(self, name: str, **given: Any) -> dict[str, Any]:
        """The parameters that register the agent of a session."""
        pane = self.keys[name]
        return {"container_id": pane["container_id"], "pane_composite_key": pane, **given}

    def register(self, name: str, **given: Any) -> dict[str, Any]:
        return dict(self.result("register_agent", **self.registration(name, **given)))

    def speaking(self, name: str, **more: Any) -> dict[str, Any]:
        """``caller_pane`` of a session's agent."""
        return {"pane_composite_key": self.keys[name], **more}

    def nowhere(self) -> dict[str, Any]:
        """``caller_pane`` of a pane that nobody has."""
        return {"pane_composite_key": self.keys["free2"] | {"tmux_pane_id": "%999"}}

    def wish(self, session: str, **more: Any) -> dict[str, Any]:
        """The parameters of a creation."""
        return {
            "container_id": self.own.id,
            "template_name": "1m+2s",
            "tmux_session_name": session,
            **more,
        }

    def created(self, session: str, **more: Any) -> str:
        made = self.result("managed.layout.create", **self.wish(session, **more))
        assert settled(self.tower, made["layout_id"])["state"] == "ready"
        return str(made["layout_id"])

    def pane_ids(self, layout_id: str) -> list[str]:
        panes = self.result("managed.layout.detail", layout_id=layout_id)["panes"]
        return [str(pane["pane_id"]) for pane in panes]

    def rule(self, **said: Any) -> dict[str, Any]:
        """The parameters of a route that never fires."""
        return {
            "event_type": "swarm_member_reported",
            "target_rule": "explicit",
            "target_value": "nobody",
            "template": "{event_excerpt}",
            **said,
        }

    def prompt_for(self, name: str) -> str:
        """A prompt that the operator sends, without waiting; its id."""
        given = {"target": self.ids[name], "body_bytes": text(), "wait": False}
        return str(self.result("queue.operator_input", **given)["message_id"])

    def _event(self) -> int:
        asked = {"target": self.ids["taken"], "types": ["error"]}
        events = self.result("events.list", **asked)["events"]
        return int(events[0]["event_id"]) if events else 0

    # --- what no request can bring about ---------------------------------------------------------

    def sql(self, statement: str, *values: Any) -> None:
        """Change a row behind the daemon's back."""
        with self._database() as database, database:
            database.execute(statement, values)

    def _database(self) -> closing[sqlite3.Connection]:
        return closing(sqlite3.connect(self.tower.home.paths.database, timeout=10))

    def fill(self, table: str, count: int, **columns: str) -> None:
        """Copies of a row of the table; a column's text may say ``{n}``."""
        with self._database() as database:
            database.row_factory = sqlite3.Row
            row = dict(database.execute(f"SELECT * FROM {table} LIMIT 1").fetchone())
            row.pop("id", None)
            marks = ", ".join("?" for _ in row)
            statement = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})"
            with database:
                for n in range(count):
                    more = {name: value.format(n=n) for name, value in columns.items()}
                    database.execute(statement, tuple((row | more).values()))


class Engine:
    """What the second tower takes for its engine: the real one, or one that fails as told."""

    def __init__(self, path: Path, real: str) -> None:
        self._path = path
        self._real = real.removeprefix("unix://")
        self.is_real()

    @property
    def url(self) -> str:
        return f"unix://{self._path}"

    def is_real(self) -> None:
        self.is_at(self._real)

    def is_at(self, target: str | Path) -> None:
        """From now on the engine is whoever answers there."""
        new = self._path.with_suffix(".new")
        new.unlink(missing_ok=True)
        new.symlink_to(target)
        new.replace(self._path)


class Lonely:
    """A tower without a worker, and with an engine that can be made to fail."""

    def __init__(self, tower: Tower, factory: BenchFactory, engine: Engine) -> None:
        self.tower, self.engine = tower, engine
        state = tower.home.paths.state_dir
        self.bench: Container = factory(mounts={state: str(state)})
        self.spares = [factory() for _ in range(2)]
        """Benches that nobody has asked tmux of, so that no channel to them is open."""
        tower.result("scan_containers")
        tmux(self.bench, "new-session", "-d", "-s", "alone", "cat")
        tower.result("scan_panes")
        [found] = [
            row
            for row in tower.result("list_panes")["panes"]
            if row["tmux_session_name"] == "alone"
        ]
        params = {"container_id": found["container_id"], "pane_composite_key": key(found)}
        self.agent = str(tower.result("register_agent", params)["agent_id"])
        self.token = opened_session(tower)

    def wish(self, bench: Container) -> dict[str, Any]:
        return {
            "container_id": bench.id,
            "template_name": "1m+2s",
            "tmux_session_name": "alone2",
        }


UNPRIVILEGED = ("setpriv", "--bounding-set=-dac_override") if os.geteuid() == 0 else ()
"""So that a mode that refuses us refuses root too."""


@contextmanager
def kept(file: Path, content: str) -> Iterator[None]:
    """The file says this inside the context, and is as before afterwards."""
    before = file.read_text() if file.exists() else None
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_text(content)
    file.chmod(0o600)
    try:
        yield
    finally:
        if before is None:
            file.unlink()
        else:
            file.write_text(before)
