"""Layouts, panes and agents as people name them: an id, its first characters, or a label."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from agenttower.cli.errors import Ambiguous
from agenttower.cli.invocation import Invocation
from agenttower.cli.output import plain

PREFIX_LENGTH = 4
"""How many characters of an id are needed at least."""

NOT_REMOVED = frozenset({"creating", "degraded", "ready", "failed"})
RECREATABLE = frozenset({"failed", "removed"})

Row = dict[str, Any]


def layout_ids(run: Invocation, names: Sequence[str]) -> list[str]:
    """The ids of the layouts that are named, each once. Whole ids are not looked up.

    :raises Ambiguous: a name fits several layouts.
    :raises LayoutNotFound: a name fits none.
    """
    from agenttower.errors import LayoutNotFound

    def resolve(rows: Sequence[Row], name: str) -> str:
        found = _with_prefix(rows, "layout_id", name)
        if not found:
            raise LayoutNotFound(name)
        return _only("layout", name, found, ("template_name", "tmux_session_name", "state"))

    return _resolve(run, "managed.layout.list", names, resolve)


def layout_id(run: Invocation, name: str) -> str:
    """As :func:`layout_ids`, for one."""
    return layout_ids(run, [name])[0]


def pane_ids(
    run: Invocation, names: Sequence[str], prefer: Collection[str] = NOT_REMOVED
) -> list[str]:
    """The ids of the panes that are named, each once. Whole ids are not looked up.

    A label means the newest pane of a slot. Where it fits several, those in a state of ``prefer``
    are meant, if there are any.

    :raises Ambiguous: a name fits several panes.
    :raises PaneNotFound: a name fits none.
    """
    from agenttower.domain.identifiers import is_agent_id
    from agenttower.errors import PaneNotFound

    def resolve(rows: Sequence[Row], name: str) -> str:
        fitting = [*_with_prefix(rows, "pane_id", name), *_labelled(rows, name, prefer)]
        found = list({row["pane_id"]: row for row in fitting}.values())
        if not found and is_agent_id(name):
            return name  # perhaps an adopted agent's: then the daemon says that it is protected
        if not found:
            raise PaneNotFound(name)
        return _only("pane", name, found, ("label", "state", "layout_id", "container_id"))

    return _resolve(run, "managed.pane.list", names, resolve)


def pane_id(run: Invocation, name: str, prefer: Collection[str] = NOT_REMOVED) -> str:
    """As :func:`pane_ids`, for one."""
    return pane_ids(run, [name], prefer)[0]


def agent(run: Invocation, name: str) -> Row:
    """The agent of this id, of an id that begins so, or of this label; of several, the active one.

    :raises Ambiguous: the name fits several agents.
    :raises AgentNotFound: it fits none.
    """
    from agenttower.errors import AgentNotFound

    rows = run.call("list_agents", {})["agents"]
    found = [row for row in rows if row["agent_id"] == name]
    if not found:
        found = _with_prefix(rows, "agent_id", name)
        found += [row for row in rows if name and row["label"] == name and row not in found]
        found = [row for row in found if row["active"]] or found
    if not found:
        raise AgentNotFound(name)
    chosen = _only("agent", name, found, ("label", "role", "container_id", "tmux_pane_id"))
    return next(row for row in found if row["agent_id"] == chosen)


def _resolve(
    run: Invocation,
    method: str,
    names: Sequence[str],
    resolve: Callable[[Sequence[Row], str], str],
) -> list[str]:
    from agenttower.domain.identifiers import is_uuid

    rows = [] if all(map(is_uuid, names)) else run.pages(method, {}, None)[0]
    ids = (name.lower() if is_uuid(name) else resolve(rows, name) for name in names)
    return list(dict.fromkeys(ids))


def _with_prefix(rows: Sequence[Row], key: str, name: str) -> list[Row]:
    if len(name) < PREFIX_LENGTH:
        return []
    return [row for row in rows if row[key].startswith(name.lower())]


def _labelled(rows: Sequence[Row], label: str, prefer: Collection[str]) -> list[Row]:
    replaced = {row["predecessor_id"] for row in rows}
    found = [row for row in rows if row["label"] == label and row["pane_id"] not in replaced]
    return [row for row in found if row["state"] in prefer] or found


def _only(noun: str, name: str, found: Sequence[Row], shown: Sequence[str]) -> str:
    key = f"{noun}_id"
    if len(found) > 1:
        candidates = [{column: row.get(column) for column in (key, *shown)} for row in found]
        lines = ("  ".join(plain(value) for value in row.values()) for row in candidates)
        raise Ambiguous(
            f"{plain(name)!r} fits {len(found)} {noun}s; give more of the id:\n  "
            + "\n  ".join(lines),
            candidates,
        )
    only: str = found[0][key]
    return only
