"""What an operation left behind, in a form in which two runs of it can be compared."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from docker.models.containers import Container

from tests.support.layouts import events_of, our_panes, settled
from tests.support.tower import Tower

DIFFERS = ("marker_token", "elapsed_ms", "container_id", "predecessor_id")
"""Payload keys whose values no two runs share."""


@dataclass(frozen=True)
class Outcome:
    """One layout; its panes go by label and depth, without the prefix of the run."""

    layout: tuple[str, str | None]
    panes: dict[str, tuple[object, ...]]
    """State, failed stage, exit code, log attached, depth of the predecessor, steps with status."""
    told: dict[str, list[tuple[str, object]]]
    """The events of each pane, and of the layout as ``""``, in order."""
    tmux: list[tuple[str, str]]
    """Label/depth and title of each tmux pane of the layout, one by one."""
    active_agents: list[str]
    logs: list[tuple[str, str]]


def outcome(tower: Tower, bench: Container, layout_id: str, prefix: str) -> Outcome:
    """Of a layout that has settled or will soon."""
    detail = settled(tower, layout_id)
    names = {
        pane["pane_id"]: f"{pane['label'].removeprefix(prefix)}/{pane['chain_depth']}"
        for pane in detail["panes"]
    }
    panes: dict[str, tuple[object, ...]] = {
        names[pane["pane_id"]]: (
            pane["state"],
            pane.get("failed_stage"),
            pane["exit_code"],
            pane["log_attached"],
            names.get(pane["predecessor_id"]),
            {stage: step["status"] for stage, step in pane["stages"].items()},
        )
        for pane in detail["panes"]
    }
    tokens = {pane_id.replace("-", ""): name for pane_id, name in names.items()}
    agents = {pane["agent_id"]: names[pane["pane_id"]] for pane in detail["panes"]}
    listed = tower.result("list_agents", {"active_only": True})["agents"]
    return Outcome(
        layout=(detail["state"], detail.get("failed_stage")),
        panes=panes,
        told=_told(tower, layout_id, names),
        tmux=sorted(
            (tokens[pane["token"]], pane["title"].removeprefix(prefix))
            for pane in our_panes(bench)
            if pane["token"] in tokens
        ),
        active_agents=sorted(agents[a["agent_id"]] for a in listed if a["agent_id"] in agents),
        logs=_logs(tower, agents),
    )


def _told(
    tower: Tower, layout_id: str, names: dict[str, str]
) -> dict[str, list[tuple[str, object]]]:
    told: defaultdict[str, list[tuple[str, object]]] = defaultdict(list)
    for event in events_of(tower, layout_id):
        kind, payload = event["event_type"], event["payload"]
        if kind == "managed_layout_recovery_reattached":
            continue  # tells of the restart of serve, which the run without a crash has not
        if event["pane_id"] is None:
            # Which pane settles first decides what the layout passes through, not where it ends.
            payload = payload.get("new_state")
            if told[""] and told[""][-1][0] == kind:
                told[""].pop()
        else:
            payload = {
                key: "" if key in DIFFERS else _plain(value, names)
                for key, value in payload.items()
            }
        told[names.get(event["pane_id"], "")].append((kind, payload))
    return dict(told)


def _plain(value: object, names: dict[str, str]) -> object:
    """A label or session without what is this run's own."""
    return value.partition("-")[2] or value if isinstance(value, str) else value


def _logs(tower: Tower, agents: dict[Any, str]) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(tower.home.paths.database, timeout=10)) as database:
        rows = database.execute("SELECT agent_id, status FROM log_attachment").fetchall()
    return sorted((agents[agent_id], status) for agent_id, status in rows if agent_id in agents)


def stages_passed(tower: Tower, kind: str, subject_ids: list[str]) -> set[str]:
    """The stages that the operations of these subjects have gone through."""
    with closing(sqlite3.connect(tower.home.paths.database, timeout=10)) as database:
        rows = database.execute(
            "SELECT DISTINCT stage FROM step JOIN operation ON operation.id = operation_id"
            " WHERE kind = ? AND operation.subject_id IN (SELECT value FROM json_each(?))",
            (kind, json.dumps(subject_ids)),
        ).fetchall()
    return {row[0] for row in rows}
