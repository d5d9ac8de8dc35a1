"""What the output of agents said, listed and followed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agenttower.cli.exit_codes import ExitCode
from agenttower.cli.invocation import Invocation, given
from agenttower.cli.output import Column, Output, plain

PAGE = 50

COLUMNS = (
    Column("OBSERVED_AT", lambda row: row.get("observed_at", row.get("timestamp"))),
    Column("EVENT_TYPE", lambda row: row["event_type"]),
    Column(
        "AGENT",
        lambda row: row.get("agent_id"),
        lambda row: row.get("agent_label") or row.get("agent_id"),
    ),
    Column("LINES", lambda row: row.get("debounce", {}).get("collapsed_count")),
    Column("EXCERPT", lambda row: row.get("excerpt", row.get("payload"))),
)


@dataclass(frozen=True)
class Wanted:
    """The filters of a command line."""

    agent: str | None
    types: tuple[str, ...]
    since: str | None
    until: str | None

    def params(self, run: Invocation) -> dict[str, object]:
        """The filters as the daemon takes them; it knows agents by id only."""
        target = None if self.agent is None else _agent_id(run, self.agent)
        return given(target=target, types=self.types, since=self.since, until=self.until)


def show(run: Invocation, wanted: Wanted, *, reverse: bool, limit: int, cursor: str | None) -> None:
    """Print the first ``limit`` events, and how to go on where there are more."""
    params = wanted.params(run) | ({"reverse": True} if reverse else {})
    events: list[dict[str, Any]] = []
    while True:
        size = min(PAGE, limit - len(events))
        position = {} if cursor is None else {"cursor": cursor}
        page = run.call("events.list", {**params, **position, "limit": size})
        events += page["events"]
        cursor = page["next_cursor"]
        if cursor is None or len(events) >= limit:
            break
    if run.output.json_mode:
        for event in events:
            run.output.record(event)
        if cursor is not None:
            run.output.record({"next_cursor": cursor})
        return
    _name_agents(run, events)
    run.output.rows(COLUMNS, events, empty="No events.")
    if cursor is not None:
        run.output.note(f"there are more; go on with --cursor {cursor}")


def follow(run: Invocation, wanted: Wanted) -> ExitCode:
    """Print events as they come until somebody has had enough, which is no error."""
    from agenttower.client.following import agent_events

    try:
        if not run.output.json_mode:
            run.output.line("\t".join(column.title for column in COLUMNS))
        for events in agent_events(run.call, wanted.params(run)):
            _print(run.output, events)
    except (KeyboardInterrupt, BrokenPipeError):
        pass
    return ExitCode.OK


def _print(output: Output, events: Iterable[Mapping[str, Any]]) -> None:
    for event in events:
        if output.json_mode:
            output.record(event)
        else:
            output.line("\t".join(plain(column.value(event)) for column in COLUMNS))


def _agent_id(run: Invocation, wanted: str) -> str:
    """The id of an agent given by id or by label."""
    if wanted.startswith("agt_"):
        return wanted
    from agenttower.cli.errors import Ambiguous
    from agenttower.errors import AgentNotFound

    found = [row for row in _agents(run) if row["label"] == wanted]
    living = [row for row in found if row.get("active")] or found
    if not living:
        raise AgentNotFound
    if len(living) > 1:
        raise Ambiguous(f"{len(living)} agents are called {wanted!r}; give the id of one", living)
    return str(living[0]["agent_id"])


def _name_agents(run: Invocation, events: Iterable[dict[str, Any]]) -> None:
    """Give each event its agent's label, where people will read it."""
    if run.output.for_people:
        labels = {row["agent_id"]: row["label"] for row in _agents(run)}
        for event in events:
            event["agent_label"] = labels.get(event.get("agent_id"))


def _agents(run: Invocation) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = run.call("list_agents", {})["agents"]
    return rows
