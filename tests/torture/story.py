"""The events of a tower as one story: each once, in order, and none that cannot have happened."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.torture.rows import Row, Rows, complaints, read_rows

ONCE = (
    "managed_layout_created",
    "managed_pane_created",
    "managed_pane_recreated",
    "managed_pane_removed",
    "managed_pane_pending_marker_set",
    "managed_pane_pending_marker_cleared",
    "managed_pane_launch_command_exited",
)
MOVES = {
    "creating": {"ready", "degraded", "failed"},
    "ready": {"degraded", "failed", "removed"},
    "degraded": {"failed", "removed"},
    "failed": {"removed"},
    "removed": set[str](),
}
"""Pane transitions (managed.md section 2), written a second time on purpose."""


@dataclass
class Story:
    """Follows the outbox and ``events.jsonl``; reads only what is new each time."""

    state_dir: Path
    last_id: int = 0
    states: dict[str, str] = field(default_factory=dict)
    """Of layouts and panes, as the events tell it."""
    sequences: Counter[str] = field(default_factory=Counter)
    _told: Counter[tuple[str, str]] = field(default_factory=Counter)
    _untold: list[Row] = field(default_factory=list)
    """Rows whose lines have not been seen yet."""
    _offset: int = 0

    def read(self) -> tuple[Rows, list[str]]:
        """One look at everything: the rows, and what is wrong with rows, events and lines."""
        lines = self._new_lines()  # first: whatever stands in the file is in the rows by then
        rows = read_rows(self.state_dir / "agenttower.sqlite3", self.last_id)
        found = complaints(rows)
        for event in rows.events:
            self.last_id = event["id"]
            self._untold.append(event)
            if event["kind"] == "managed":
                found += self._follow(event)
        found += self._compare(rows)
        found += self._check_lines(lines)
        return rows, found

    @property
    def relayed(self) -> bool:
        """Whether every event that was read also stands in the file."""
        return not self._untold

    def _follow(self, event: Row) -> Iterator[str]:
        layout_id, pane_id, kind = event["layout_id"], event["pane_id"], event["event_type"]
        self.sequences[layout_id] += 1
        if event["sequence"] != self.sequences[layout_id]:
            yield f"event {event['id']}: sequence {event['sequence']} of layout {layout_id}"
        subject = pane_id or layout_id
        self._told[subject, kind] += 1
        if kind in ONCE and self._told[subject, kind] > 1:
            yield f"event {event['id']}: {kind} a second time for {subject}"
        before = self.states.setdefault(subject, "creating")
        if not kind.endswith("_state_changed"):
            return
        payload = json.loads(event["payload"])
        if payload["prev_state"] != before or payload["new_state"] == before:
            yield f"event {event['id']}: {subject} was {before}, told is {payload}"
        if pane_id is not None and payload["new_state"] not in MOVES[before]:
            yield f"event {event['id']}: pane {pane_id} went from {before}: {payload}"
        self.states[subject] = payload["new_state"]

    def _compare(self, rows: Rows) -> Iterator[str]:
        for layout in rows.layouts:
            name, last = layout["layout_id"], layout["last_sequence"]
            if last != self.sequences[name]:
                yield f"layout {name} has {last} events, {self.sequences[name]} are there"
            if layout["state"] != self.states[name]:
                yield f"layout {name} is {layout['state']}, its events say {self.states[name]}"
        for pane in rows.panes:
            told = self.states.get(pane["pane_id"])
            if pane["state"] != told:
                yield f"pane {pane['pane_id']} is {pane['state']}, its events say {told}"

    def _new_lines(self) -> list[dict[str, Any]]:
        try:
            with (self.state_dir / "events.jsonl").open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        complete = data[: data.rfind(b"\n") + 1]
        self._offset += len(complete)
        return [json.loads(line) for line in complete.splitlines()]

    def _check_lines(self, lines: list[dict[str, Any]]) -> Iterator[str]:
        for line in lines:
            if not self._untold:
                yield f"events.jsonl tells of {line}, which is in no row"
                return
            row = self._untold.pop(0)
            number = line["row"] if "row" in line else line["event_id"]
            told = (number, line.get("event_type", line.get("type")))
            same = told == (row["id"], row["event_type"])
            if not same or not says_as_much(line, row):
                yield f"events.jsonl tells {line} where event {row['id']} is next"


def says_as_much(line: dict[str, Any], row: Row) -> bool:
    """Whether a line has all that its row has."""
    payload = json.loads(row["payload"])
    if row["kind"] in ("managed", "audit"):
        return bool(line["payload"] == payload)
    debounce = payload.pop("debounce", {})  # its times are written in another form
    count = line.get("debounce", {}).get("collapsed_count")
    return payload.items() <= line.items() and debounce.get("collapsed_count") == count
