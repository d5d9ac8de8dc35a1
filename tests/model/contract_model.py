"""The contract (managed.md sections 1 to 3) in plain Python: what is answered, what may happen.

It knows no database, no tmux and no rule of the product. Panes change their states only through
the events it is shown; each must be a transition that the contract has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

ALLOWED = {
    "creating": {"ready", "degraded", "failed"},
    "ready": {"degraded", "failed", "removed"},
    "degraded": {"failed", "removed"},
    "failed": {"removed"},
    "removed": set(),
}
LIVING = {"creating", "ready", "degraded"}
TEMPLATES = {"1m+2s": ("m1", "s1", "s2"), "2m+2s": ("m1", "m2", "s1", "s2")}
CAPACITY = 40
MAX_DEPTH = 15

ONCE = {
    "managed_pane_created",
    "managed_pane_recreated",
    "managed_pane_removed",
    "managed_pane_pending_marker_set",
    "managed_pane_pending_marker_cleared",
    "managed_pane_launch_command_exited",
}
"""Events that a pane has at most one of."""

OK = "ok"
REPLAY = "replay"


@dataclass
class Pane:
    """A managed pane; all but ``state`` and ``stage`` never changes."""

    pane_id: str
    layout_id: str
    container_id: str
    slot: int
    label: str
    depth: int
    predecessor: str | None
    key: str | None
    state: str = "creating"
    stage: str | None = None


@dataclass
class Layout:
    """A layout as its events tell it."""

    layout_id: str
    container_id: str
    target: str
    key: str | None
    state: str = "creating"
    sequence: int = 0


@dataclass
class Circumstances:
    """What a request's answer depends on beside the rows."""

    worker_heard: bool = True
    active: Mapping[str, bool] = field(default_factory=dict)
    """By container: whether discovery has it as running."""
    sessions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By container: the sessions of its tmux and whose they are (layout id without hyphens)."""


class Contract:
    """Layouts and panes so far."""

    def __init__(self) -> None:
        self.layouts: dict[str, Layout] = {}
        self.panes: dict[str, Pane] = {}
        self.unwanted: set[str] = set()
        """Panes whose removal an operator was granted."""
        self._told: set[tuple[str, str | None]] = set()

    # --- what follows from the rows --------------------------------------------------------------

    def successors(self, pane_id: str) -> list[Pane]:
        return [pane for pane in self.panes.values() if pane.predecessor == pane_id]

    def current(self, layout_id: str) -> list[Pane]:
        """The rows that no other row names as predecessor, by slot."""
        replaced = {pane.predecessor for pane in self.panes.values()}
        own = [pane for pane in self.panes.values() if pane.layout_id == layout_id]
        return sorted((p for p in own if p.pane_id not in replaced), key=lambda p: p.slot)

    def label_taken(self, container_id: str, labels: Iterable[str]) -> bool:
        living = {
            pane.label
            for pane in self.panes.values()
            if pane.container_id == container_id and pane.state in LIVING
        }
        return not living.isdisjoint(labels)

    def session_holders(self, container_id: str, target: str) -> set[str]:
        """Layouts with living panes that have, or will make, this session."""
        return {
            pane.layout_id
            for pane in self.panes.values()
            if pane.container_id == container_id
            and pane.state in LIVING
            and self.layouts[pane.layout_id].target == target
        }

    def layout_count(self) -> int:
        return sum(layout.state != "removed" for layout in self.layouts.values())

    # --- what must be answered -------------------------------------------------------------------

    def create(
        self,
        container_id: str,
        session: str,
        template: str,
        prefix: str,
        key: str | None,
        now: Circumstances,
    ) -> str:
        """M1, checks in M1's order."""
        if not session or " " in session:
            return "validation_failed"
        if key and self.layout_of_key(container_id, key):
            return REPLAY
        if container_id not in now.active:
            return "container_not_found"
        if not now.active[container_id]:
            return "container_inactive"
        if template not in TEMPLATES:
            return "managed_template_not_found"
        if self.label_taken(container_id, (prefix + label for label in TEMPLATES[template])):
            return "managed_pane_label_conflict"
        if self.layout_count() >= CAPACITY:
            return "managed_layout_capacity_exceeded"
        target = session.replace(".", "_")
        if self.session_holders(container_id, target) or target in now.sessions[container_id]:
            return "managed_session_name_conflict"
        return OK if now.worker_heard else "worker_unavailable"

    def layout_of_key(self, container_id: str, key: str) -> Layout | None:
        for layout in self.layouts.values():
            if (layout.container_id, layout.key) == (container_id, key):
                return layout
        return None

    def recreate(self, pane_id: str, key: str | None, now: Circumstances) -> str:
        """M7."""
        source = self.panes.get(pane_id)
        if source is None:
            return "managed_pane_not_found"
        if key is not None and key in {pane.key for pane in self.successors(pane_id)}:
            return REPLAY
        if source.state not in ("removed", "failed"):
            return "managed_pane_illegal_recreate_source"
        if source.depth >= MAX_DEPTH:
            return "managed_pane_recreate_chain_too_deep"
        if any(pane.state in LIVING for pane in self.successors(pane_id)):
            return "managed_pane_concurrent_recreate"
        if not now.active[source.container_id]:
            return "container_inactive"
        return self._recreate_among_others(source, now)

    def _recreate_among_others(self, source: Pane, now: Circumstances) -> str:
        layout = self.layouts[source.layout_id]
        if self.label_taken(source.container_id, [source.label]):
            return "managed_pane_label_conflict"
        if self.session_holders(source.container_id, layout.target) - {layout.layout_id}:
            return "managed_session_name_conflict"
        if layout.state == "removed" and self.layout_count() >= CAPACITY:
            return "managed_layout_capacity_exceeded"
        sessions = now.sessions[source.container_id]
        mine = layout.layout_id.replace("-", "")
        if layout.target in sessions and mine not in sessions.values():
            return "managed_session_name_conflict"
        return OK if now.worker_heard else "worker_unavailable"

    def remove(self, pane_ids: Iterable[str], under_way: set[str], now: Circumstances) -> str:
        """M6, and M9 with every current pane of the layout."""
        panes = [self.panes[pane_id] for pane_id in pane_ids]
        if any(pane.state == "creating" for pane in panes):
            return "managed_pane_illegal_transition"
        if all(pane.state == "removed" or pane.pane_id in under_way for pane in panes):
            return OK
        return OK if now.worker_heard else "worker_unavailable"

    # --- what may happen -------------------------------------------------------------------------

    def heed(self, event: Mapping[str, Any]) -> None:
        """An event that was written.

        :raises AssertionError: the contract does not allow it here.
        """
        layout = self.layouts[event["layout_id"]]
        assert event["sequence"] == layout.sequence + 1, "a gap in a layout's events"
        layout.sequence += 1
        payload = event["payload"]
        if event["event_type"] in ONCE:
            told = (event["event_type"], event["pane_id"])
            assert told not in self._told, f"told twice: {told}"
            self._told.add(told)
        if event["event_type"] == "managed_pane_state_changed":
            pane = self.panes[event["pane_id"]]
            assert payload["prev_state"] == pane.state, f"{pane} was not {payload['prev_state']}"
            assert payload["new_state"] in ALLOWED[pane.state], f"{pane} to {payload}"
            pane.state = payload["new_state"]
            pane.stage = payload.get("failed_stage")
        elif event["event_type"] == "managed_pane_recreated" and event["actor"] == "daemon":
            assert payload["predecessor_id"] not in self.unwanted, "it comes back by itself"
        elif event["event_type"] == "managed_layout_state_changed":
            assert payload["prev_state"] == layout.state
            assert payload["new_state"] != layout.state
            layout.state = payload["new_state"]


def aggregate(states: Iterable[str]) -> str:
    """A layout's state from those of its current panes, as section 2 says it."""
    among = list(states)
    if "creating" in among:
        return "creating"
    if all(state == "removed" for state in among):
        return "removed"
    remaining = [state for state in among if state != "removed"]
    if "failed" in remaining:
        return "failed"
    return "degraded" if "degraded" in remaining else "ready"
