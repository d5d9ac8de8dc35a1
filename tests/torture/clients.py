"""The clients of a torture run: each asks for one thing after another, and judges the answers."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tests.support.tower import Tower
from tests.torture.rows import aggregate
from tests.torture.tally import Tally

TIMEOUT_S = 8.0
TRIES = 6
TEMPLATES = ("one", "pair", "1m+2s")
NOT_NOW = frozenset(
    {"worker_unavailable", "tmux_unavailable", "docker_unavailable", "container_inactive"}
)
"""What a request may be refused with while something is broken."""
REFUSALS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "managed.layout.create": NOT_NOW | {"managed_layout_capacity_exceeded"},
        "managed.pane.recreate": NOT_NOW
        | {
            "managed_layout_capacity_exceeded",
            "managed_pane_concurrent_recreate",
            "managed_pane_illegal_recreate_source",
            "managed_pane_label_conflict",
            "managed_pane_recreate_chain_too_deep",
        },
        "managed.pane.remove": frozenset({"worker_unavailable", "managed_pane_illegal_transition"}),
        "managed.layout.remove": frozenset(
            {"worker_unavailable", "managed_pane_illegal_transition"}
        ),
    }
)
"""The codes that the contract allows here; any other answer is wrong."""
REMOVAL_FAILED = ("could not be removed", "still under way")
"""How a removal says that it failed for good, or takes longer than the wait; both may be."""


class Client:
    """Asks until the run stops. Its choices come from its own part of the seed."""

    def __init__(
        self, number: int, seed: int, tower: Tower, containers: list[str], tally: Tally
    ) -> None:
        self._name = f"t{number}"
        self._dice = random.Random(f"{seed}/client {number}")
        self._tower = tower
        self._containers = containers
        self._tally = tally
        self._numbers = itertools.count()

    def run(self) -> None:
        actions = {
            self._create: 8,
            self._remove_layout: 3,
            self._remove_pane: 4,
            self._recreate: 7,
            self._look: 6,
        }
        while not self._tally.stop.is_set():
            [action] = self._dice.choices(list(actions), list(actions.values()))
            action()
            self._tally.stop.wait(self._dice.random() * 0.2)

    # --- what it does ----------------------------------------------------------------------------

    def _create(self) -> None:
        name = f"{self._name}-{next(self._numbers)}"
        self._insist(
            "managed.layout.create",
            {
                "container_id": self._dice.choice(self._containers),
                "template_name": self._dice.choice(TEMPLATES),
                "tmux_session_name": name,
                "label_prefix": f"{name}-",
                "idempotency_key": f"key-{name}",
            },
        )

    def _remove_layout(self) -> None:
        layouts = self._items("managed.layout.list", state=["ready", "degraded", "failed"])
        if layouts:
            layout_id = self._dice.choice(layouts)["layout_id"]
            self._insist("managed.layout.remove", {"layout_id": layout_id})

    def _remove_pane(self) -> None:
        panes = self._items("managed.pane.list", state=["ready", "degraded", "failed"])
        if panes:
            self._insist("managed.pane.remove", {"pane_id": self._dice.choice(panes)["pane_id"]})

    def _recreate(self) -> None:
        state = self._dice.choice(["failed", "removed"])
        panes = self._items("managed.pane.list", state=state)
        if panes:
            pane_id = self._dice.choice(panes)["pane_id"]
            key = f"again-{self._name}-{next(self._numbers)}"
            self._insist(
                "managed.pane.recreate", {"predecessor_pane_id": pane_id, "idempotency_key": key}
            )

    def _look(self) -> None:
        """Read a layout and what belongs to it, and compare."""
        self._read("status", {})
        self._read("list_agents", {"active_only": True})
        layouts = self._items("managed.layout.list")
        if not layouts:
            return
        layout_id = self._dice.choice(layouts)["layout_id"]
        detail = self._read("managed.layout.detail", {"layout_id": layout_id})
        if detail is not None:
            # What is not shown by default is removed, or failed and has a successor.
            states = [pane["state"] for pane in detail["panes"]]
            if aggregate(states) != detail["state"]:
                self._tally.complain([f"layout {layout_id} is {detail['state']}, shown: {states}"])
        page = self._read("managed.event.list", {"layout_id": layout_id, "limit": 200})
        if page is not None:
            numbers = [event["sequence"] for event in page["events"]]
            if numbers != list(range(1, len(numbers) + 1)):
                self._tally.complain([f"events of layout {layout_id} are numbered {numbers}"])

    # --- how it asks -----------------------------------------------------------------------------

    def _items(self, method: str, **filters: object) -> list[dict[str, Any]]:
        """The first page, from which to choose."""
        page = self._read(method, {"limit": 200, **filters})
        return [] if page is None else page["items"]

    def _read(self, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
        """The result; ``None`` where there is none just now."""
        reply = self._ask(method, params)
        return dict(reply["result"]) if reply is not None and reply["ok"] else None

    def _insist(self, method: str, params: dict[str, Any]) -> None:
        """Ask again, with the same key, until there is an answer."""
        for _ in range(TRIES):
            if self._ask(method, params) is not None or self._tally.stop.wait(self._dice.random()):
                return

    def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
        """One request; the reply, judged, or ``None`` where nobody answered."""
        try:
            reply = self._tower.call(method, params, timeout_s=TIMEOUT_S)
        except (OSError, ValueError):
            self._tally.count(method, "no answer")
            return None
        self._tally.count(method, "ok" if reply["ok"] else reply["error"]["code"])
        if not reply["ok"] and not self._is_allowed(method, reply["error"]):
            self._tally.complain([f"{method} {json.dumps(params)} was answered {reply['error']}"])
        return reply

    def _is_allowed(self, method: str, error: dict[str, Any]) -> bool:
        if error["code"] in REFUSALS.get(method, ()):
            return True
        if error["code"] != "internal_error":
            return False
        failed = method.endswith(".remove") and any(
            phrase in error["message"] for phrase in REMOVAL_FAILED
        )
        return failed or not self._tally.storage_is_trusted
