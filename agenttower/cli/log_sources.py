"""Logs as people name them: by a managed pane, an agent, or a layout with all its panes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agenttower.cli.errors import Ambiguous
from agenttower.cli.invocation import Invocation
from agenttower.cli.output import plain

PREFIX_LENGTH = 4
_AGENT = "agt_"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """One agent's log, and what to call it before its lines."""

    agent_id: str
    label: str


def sources(run: Invocation, names: Sequence[str]) -> list[Source]:
    """The logs that are named, each once, in the order of the names.

    :raises Ambiguous: a name fits several panes or agents.
    :raises AgentNotFound: a name fits nothing that has a log.
    """
    from agenttower.domain.identifiers import is_agent_id

    if all(map(is_agent_id, names)):
        return [Source(name, name) for name in dict.fromkeys(names)]
    panes = run.pages("managed.pane.list", {}, None)[0]
    agents = run.call("list_agents", {})["agents"]
    found = [source for name in names for source in _of(name, panes, agents)]
    return list({source.agent_id: source for source in found}.values())


def one_agent(run: Invocation, name: str) -> str:
    """The id of the one agent that a name means."""
    found = sources(run, [name])
    if len(found) > 1:
        raise Ambiguous(
            f"{plain(name)!r} is a layout of {len(found)} panes; name one of them: "
            + ", ".join(plain(source.label) for source in found),
            [{"agent_id": source.agent_id, "label": source.label} for source in found],
        )
    return found[0].agent_id


def _of(name: str, panes: Sequence[Row], agents: Sequence[Row]) -> list[Source]:
    from agenttower.domain.identifiers import is_agent_id
    from agenttower.errors import AgentNotFound

    if is_agent_id(name):
        return [Source(name, name)]
    layout = _living([row for row in panes if _begins(row["layout_id"], name)])
    if layout:
        return layout
    by_pane = [row for row in panes if _begins(row["pane_id"], name) or row["label"] == name]
    found = _living(by_pane) or _with_agent(by_pane)
    ours = {row["agent_id"] for row in panes}
    for row in agents:
        adopted = row["agent_id"] not in ours
        named = adopted and row["label"] == name and (row["active"] or not found)
        if named or _is_agent(row["agent_id"], name):
            found.append(Source(row["agent_id"], row["label"] or row["agent_id"]))
    if not found:
        raise AgentNotFound(name)
    if len(found) > 1:
        raise Ambiguous(
            f"{plain(name)!r} fits {len(found)} agents; give an agent's id:\n  "
            + "\n  ".join(f"{source.agent_id}  {plain(source.label)}" for source in found),
            [{"agent_id": source.agent_id, "label": source.label} for source in found],
        )
    return found


def _living(rows: Sequence[Row]) -> list[Source]:
    return _with_agent([row for row in rows if row["state"] not in ("failed", "removed")])


def _with_agent(rows: Sequence[Row]) -> list[Source]:
    return [Source(row["agent_id"], row["label"]) for row in rows if row["agent_id"]]


def _begins(value: str, name: str) -> bool:
    return len(name) >= PREFIX_LENGTH and value.startswith(name.lower())


def _is_agent(agent_id: str, name: str) -> bool:
    long_enough = name.startswith(_AGENT) and len(name) >= len(_AGENT) + PREFIX_LENGTH
    return long_enough and agent_id.startswith(name)
