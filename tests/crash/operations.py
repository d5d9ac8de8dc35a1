"""The operations that are killed: what comes before each, and how a client asks for it."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any

from docker.models.containers import Container

from tests.support.layouts import settled, write_profile, write_template
from tests.support.tower import Tower
from tests.support.waiting import wait_until

ASK_S = 60.0
REFUSE = """
CREATE TRIGGER refused BEFORE INSERT ON agent WHEN NEW.label LIKE '%-refused'
BEGIN SELECT RAISE(ABORT, 'refused by the test'); END;
CREATE TRIGGER unborn BEFORE INSERT ON event WHEN NEW.event_type = 'managed_pane_created'
    AND json_extract(NEW.payload, '$.label') LIKE '%-unborn'
BEGIN SELECT RAISE(ABORT, 'refused by the test'); END;
"""
"""Two panes that fail for good: at registration, and at what follows from being made."""
FAILS_ONCE = 'f="/tmp/$(tmux display-message -p "#{session_name}")"; [ -e "$f" ] && exec sleep 9999'


@dataclass
class Case:
    """One layout; ``prefix`` is that of its labels and of its session's name."""

    tower: Tower
    bench: Container
    number: int
    layout_id: str = ""
    panes: list[dict[str, Any]] = field(default_factory=list)

    @property
    def prefix(self) -> str:
        return f"c{self.number}-"

    def create(self) -> None:
        """One pane lives, one dies at once, one cannot be registered, one cannot be made."""
        self._create("mixed")

    def restart(self) -> None:
        """One pane whose program fails at first, and is started again; not answered before."""
        self._create("again")

        def restarted() -> bool:
            params = {"layout_id": self.layout_id, "state": "ready"}
            try:
                items = self.tower.result("managed.pane.list", params)["items"]
            except (OSError, ValueError):
                return False
            return [pane["chain_depth"] for pane in items] == [1]

        wait_until(restarted, ASK_S, "the successor")

    def _create(self, template: str) -> None:
        result = self._ask_until_answered(
            "managed.layout.create",
            {
                "container_id": self.bench.id,
                "template_name": template,
                "tmux_session_name": f"{self.prefix}work",
                "label_prefix": self.prefix,
                "idempotency_key": f"key-{self.number}",
            },
        )
        self.layout_id, self.panes = result["layout_id"], result["panes"]

    def recreate(self) -> None:
        for pane in self.panes:
            self._ask_until_answered(
                "managed.pane.recreate",
                {
                    "predecessor_pane_id": pane["pane_id"],
                    "idempotency_key": f"again-{pane['label']}",
                },
            )

    def remove_pane(self) -> None:
        params = {"pane_id": self.panes[0]["pane_id"]}
        assert self._ask_until_answered("managed.pane.remove", params)["state"] == "removed"

    def remove_layout(self) -> None:
        params = {"layout_id": self.layout_id}
        assert self._ask_until_answered("managed.layout.remove", params)["state"] == "removed"

    def _ask_until_answered(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """What a client does: ask again, with the same key, until there is an answer."""

        def ask() -> dict[str, Any] | None:
            with suppress(OSError, ValueError):
                return self.tower.call(method, params, timeout_s=ASK_S)
            return None

        reply = wait_until(ask, ASK_S, f"an answer to {method}")
        assert reply is not None
        assert reply["ok"], reply
        return dict(reply["result"])


@dataclass(frozen=True)
class Operation:
    """An operation of the matrix."""

    kind: str
    """As the ledger names it."""
    before: tuple[Callable[[Case], None], ...]
    ask: Callable[[Case], None]

    def prepare(self, case: Case) -> Case:
        """Bring a case to where the operation begins, undisturbed."""
        for step in self.before:
            step(case)
            settled(case.tower, case.layout_id)
        return case


OPERATIONS = {
    "create": Operation("create", (), Case.create),
    "recreate": Operation("recreate", (Case.create, Case.remove_layout), Case.recreate),
    "remove_pane": Operation("remove", (Case.create,), Case.remove_pane),
    "remove_layout": Operation("remove", (Case.create,), Case.remove_layout),
    "restart": Operation("restart", (), Case.restart),
}


def cases(tower: Tower, bench: Container) -> Iterator[Case]:
    """Fresh cases on one bench, once the tower knows what they are made of."""
    write_profile(tower, "dies", ["/bin/sh", "-c", "echo no; exit 3"])
    restart = {"policy": "on-failure", "backoff": 0.1}
    command = ["/bin/sh", "-c", f'{FAILS_ONCE}; touch "$f"; exit 5']
    write_profile(tower, "fails-once", command, restart=restart)
    write_template(
        tower, "again", [{"label_pattern": "again", "default_launch_command_ref": "fails-once"}]
    )
    write_template(
        tower,
        "mixed",
        [
            {"role": "master", "capability": "orchestrator", "label_pattern": "lives"},
            {"label_pattern": "dies", "default_launch_command_ref": "dies"},
            {"label_pattern": "refused"},
            {"label_pattern": "unborn"},
        ],
    )
    with closing(sqlite3.connect(tower.home.paths.database, timeout=10)) as database:
        database.executescript(REFUSE)
    return (Case(tower, bench, number) for number in itertools.count())
