"""What must hold after every commit, whatever has happened: the rows against the model."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from agenttower.store.database import Store
from tests.model.contract_model import LIVING, Contract, Layout, Pane, aggregate

Row = dict[str, Any]

REMOVAL = "('tmux_kill', 'route_cleanup', 'log_detach', 'archive')"


class Watch:
    """Follows the database commit by commit.

    :param standing: the tokens of all panes that stand in any tmux now.
    """

    def __init__(
        self, store: Store, contract: Contract, standing: Callable[[], AbstractSet[str]]
    ) -> None:
        self._store = store
        self._contract = contract
        self._standing = standing
        self._last_event = 0
        self._seen: list[tuple[Any, ...]] = []

    def rows(self, sql: str, *parameters: object) -> list[Row]:
        cursor = self._store.execute(sql, parameters)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def look(self) -> None:
        """:raises AssertionError: something that must always hold does not."""
        layouts = self.rows("SELECT * FROM managed_layout ORDER BY created_at, layout_id")
        panes = self.rows("SELECT * FROM managed_pane ORDER BY created_at, chain_depth, slot")
        self._learn(layouts, panes)
        self._follow_events()
        self._panes_are_what_their_events_say(panes)
        self._layouts_follow_their_panes(layouts)
        self._names_are_unique(panes)
        self._lines_move(panes)
        self._agents_follow_panes(panes)

    def _learn(self, layouts: Sequence[Row], panes: Sequence[Row]) -> None:
        """Make the acquaintance of new rows, which must fit where they are put."""
        contract = self._contract
        for row in layouts:
            if row["layout_id"] not in contract.layouts:
                contract.layouts[row["layout_id"]] = Layout(
                    row["layout_id"],
                    row["container_id"],
                    row["tmux_session_target"],
                    row["idempotency_key"],
                )
        for row in panes:
            if row["pane_id"] not in contract.panes:
                pane = Pane(
                    row["pane_id"],
                    row["layout_id"],
                    row["container_id"],
                    row["slot"],
                    row["label"],
                    row["chain_depth"],
                    row["predecessor_id"],
                    row["idempotency_key"],
                )
                if pane.predecessor is not None:
                    _assert_succeeds(pane, contract.panes[pane.predecessor])
                contract.panes[pane.pane_id] = pane

    def _follow_events(self) -> None:
        for row in self.rows("SELECT * FROM event WHERE id > ? ORDER BY id", self._last_event):
            self._seen.append(tuple(row.values()))
            self._last_event = row["id"]
            if row["kind"] == "managed":
                payload = json.loads(row["payload"])
                self._contract.heed({**row, "payload": payload})
                if payload.get("failed_stage") == "recovery_reattach" and row["pane_id"]:
                    self._is_really_gone(row["pane_id"])

    def _is_really_gone(self, pane_id: str) -> None:
        """Nobody but the container or somebody in it has ended the pane."""
        assert pane_id.replace("-", "") not in self._standing(), "a pane that stands is called gone"
        assert pane_id not in self.under_removal(), "a pane that is being removed is called gone"

    def under_removal(self) -> set[str]:
        """Panes whose removal is under way."""
        rows = self.rows(
            f"SELECT subject_id FROM step WHERE stage IN {REMOVAL}"
            " AND status IN ('pending', 'running')"
        )
        return {row["subject_id"] for row in rows}

    def nothing_was_rewritten(self) -> list[int]:
        """The audit is what it was; returns the ids of all events."""
        rows = self.rows("SELECT * FROM event ORDER BY id")
        assert [tuple(row.values()) for row in rows] == self._seen
        return [row["id"] for row in rows]

    def _layouts_follow_their_panes(self, rows: Sequence[Row]) -> None:
        for row in rows:
            current = self._contract.current(row["layout_id"])
            wanted = aggregate(pane.state for pane in current)
            assert row["state"] == wanted, f"{row['state']} with {current}"
            assert row["state"] == self._contract.layouts[row["layout_id"]].state
            failed = [pane.stage for pane in current if pane.state == "failed"]
            assert row["failed_stage"] == (failed[0] if wanted == "failed" else None), failed
            assert row["last_sequence"] == self._contract.layouts[row["layout_id"]].sequence
        assert self._contract.layout_count() <= 40

    def _panes_are_what_their_events_say(self, rows: Sequence[Row]) -> None:
        for row in rows:
            pane = self._contract.panes[row["pane_id"]]
            assert row["state"] == pane.state, f"{pane} is stored as {row['state']}"
            if row["failed_stage"] == "tmux_kill":
                pane.stage = "tmux_kill"  # a note, not a change of state (M6)
                self._contract.unwanted.discard(pane.pane_id)
            assert (row["pending_marker_token"] is not None) == (pane.state == "creating")
            if pane.state in ("degraded", "failed"):
                assert row["failed_stage"] is not None, f"{pane} does not say what failed"
                assert row["failure_reason"], f"{pane} does not say why"

    def _names_are_unique(self, rows: Sequence[Row]) -> None:
        living = [row for row in rows if row["state"] in LIVING]
        for columns in (("container_id", "label"), ("layout_id", "slot")):
            _assert_unique([tuple(row[column] for column in columns) for row in living])
        layouts = {row["layout_id"] for row in living}
        _assert_unique(
            [
                (lay.container_id, lay.target)
                for lay in map(self._contract.layouts.get, layouts)
                if lay
            ]
        )

    def _lines_move(self, panes: Sequence[Row]) -> None:
        """FR-019: one at a time, in order, and never nobody where somebody waits."""
        operations = self.rows(
            "SELECT o.*, (SELECT COUNT(*) FROM step s WHERE s.operation_id = o.id"
            " AND s.status IN ('pending', 'running')) AS open_steps FROM operation o"
            " WHERE o.state IN ('waiting', 'running') ORDER BY o.id"
        )
        for operation in operations:
            assert operation["open_steps"], f"nothing will ever move {operation}"
        for lane in {operation["lane"] for operation in operations}:
            line = [op["state"] for op in operations if op["lane"] == lane and op["in_line"]]
            assert line in ([], ["running"] + ["waiting"] * (len(line) - 1)), line
        subjects = {op["subject_id"] for op in operations if op["kind"] != "remove"}
        for pane in panes:
            if pane["state"] == "creating":
                subject = pane["pane_id"] if pane["chain_depth"] else pane["layout_id"]
                assert subject in subjects, f"nobody creates {pane}"

    def _agents_follow_panes(self, panes: Sequence[Row]) -> None:
        active = {row["agent_id"] for row in self.rows("SELECT agent_id FROM agent WHERE active")}
        leaving = {
            row["subject_id"]
            for row in self.rows("SELECT subject_id FROM step WHERE stage = 'log_detach'")
        }
        for row in panes:
            if row["state"] in ("failed", "removed"):
                assert row["reserved_agent_id"] not in active, f"{row} is still an agent"
            elif row["state"] != "creating" and row["pane_id"] not in leaving:
                # One that fell with its tmux server may have lost its place to a new pane.
                gone = row["pane_id"].replace("-", "") not in self._standing()
                assert gone or row["agent_id"] in active, f"{row} is no agent"


def _assert_succeeds(pane: Pane, predecessor: Pane) -> None:
    assert pane.depth == predecessor.depth + 1 <= 15
    assert predecessor.state in ("failed", "removed")
    for attribute in ("layout_id", "container_id", "slot", "label"):
        assert getattr(pane, attribute) == getattr(predecessor, attribute)


def _assert_unique(names: Sequence[tuple[Any, ...]]) -> None:
    doubled = [name for name, number in Counter(names).items() if number > 1]
    assert not doubled, doubled
