"""Named queries on panes that wait for a person, and on the panes that may."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from agenttower.clock import Micros
from agenttower.store.models import Attention
from agenttower.store.models.base import execute


@dataclass(frozen=True, slots=True)
class AttentionRecord:
    """A row of ``attention``."""

    agent_id: str
    kind: str
    rule_id: str
    text: str
    since: Micros
    seen_at: Micros
    told: bool


@dataclass(frozen=True, slots=True)
class Watched:
    """A pane that a program of ours or of anybody's runs in, and that may come to wait.

    ``layout_id`` is ``None`` for an adopted agent, ``log_path`` where its output is not captured in
    a file of the host.
    """

    agent_id: str
    container_id: str
    socket_path: str
    pane_id: str
    pane_pid: int
    token: str
    log_path: str | None
    layout_id: str | None


@dataclass(frozen=True, slots=True)
class LogPlace:
    """How far an agent's log has been read, and under which attachment."""

    attachment_id: str
    log_path: str
    byte_offset: int
    line_offset: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A pane that waits, as ``status`` lists it."""

    agent_id: str
    container_id: str
    label: str
    origin: str
    record: AttentionRecord


_COLUMNS = "a.agent_id, a.kind, a.rule_id, a.text, a.since, a.seen_at, a.told"

# A pane whose program has ended waits for nobody.
_RUNS = "p.state IN ('creating', 'ready', 'degraded') AND p.exit_code IS NULL"
_MANAGED = (
    f"FROM managed_pane p WHERE {_RUNS} AND p.tmux_pane_id IS NOT NULL AND p.pane_pid IS NOT NULL"
)
_ADOPTED = "g.origin = 'adopted' AND g.active AND g.pane_pid IS NOT NULL"


def watched() -> dict[str, Watched]:
    """Every pane that may come to wait for a person, by agent."""
    managed = execute(
        "SELECT p.reserved_agent_id, p.container_id, p.tmux_socket_path, p.tmux_pane_id,"
        " p.pane_pid, REPLACE(p.pane_id, '-', ''),"
        " CASE WHEN p.log_attached OR p.state = 'creating' THEN p.log_path END,"
        f" p.layout_id {_MANAGED}"
    ).fetchall()
    adopted = execute(
        "SELECT g.agent_id, g.container_id, g.tmux_socket_path, g.tmux_pane_id, g.pane_pid, '',"
        " (SELECT l.log_path FROM log_attachment l WHERE l.agent_id = g.agent_id"
        "  AND l.status = 'active' AND l.via = 'pipe'), NULL"
        f" FROM agent g WHERE {_ADOPTED}"
    ).fetchall()
    return {row[0]: Watched(*row) for row in (*managed, *adopted)}


def of(agent_id: str) -> AttentionRecord | None:
    """What this agent's pane waits for."""
    return of_agents([agent_id]).get(agent_id)


def of_agents(agent_ids: Collection[str]) -> dict[str, AttentionRecord]:
    """What these agents' panes wait for."""
    if not agent_ids:
        return {}
    marks = ", ".join("?" for _ in agent_ids)
    rows = execute(
        f"SELECT {_COLUMNS} FROM attention a WHERE a.agent_id IN ({marks})", tuple(agent_ids)
    )
    return {row[0]: _record(row) for row in rows.fetchall()}


def of_layouts(layout_ids: Collection[str]) -> dict[str, list[tuple[str, AttentionRecord]]]:
    """What waits in these layouts, with the labels of the panes, the longest waiting first."""
    if not layout_ids:
        return {}
    marks = ", ".join("?" for _ in layout_ids)
    rows = execute(
        f"SELECT p.layout_id, p.label, {_COLUMNS} FROM attention a"
        " JOIN managed_pane p ON p.reserved_agent_id = a.agent_id"
        f" WHERE p.layout_id IN ({marks}) AND {_RUNS}"
        " ORDER BY a.since, a.agent_id",
        tuple(layout_ids),
    )
    found: dict[str, list[tuple[str, AttentionRecord]]] = {}
    for layout_id, label, *columns in rows.fetchall():
        found.setdefault(layout_id, []).append((label, _record(columns)))
    return found


def waiting() -> list[Waiting]:
    """Everything that waits, the longest waiting first."""
    rows = execute(
        f"SELECT COALESCE(p.container_id, g.container_id), COALESCE(p.label, g.label),"
        f" CASE WHEN p.pane_id IS NULL THEN 'adopted' ELSE 'managed' END, {_COLUMNS}"
        " FROM attention a LEFT JOIN managed_pane p ON p.reserved_agent_id = a.agent_id"
        " LEFT JOIN agent g ON g.agent_id = a.agent_id"
        f" WHERE ({_RUNS}) OR (p.pane_id IS NULL AND g.active)"
        " ORDER BY a.since, a.agent_id"
    )
    return [
        Waiting(columns[0], container_id, label, origin, _record(columns))
        for container_id, label, origin, *columns in rows.fetchall()
    ]


def write(record: AttentionRecord) -> None:
    """Put the row in place of the one that stands, in the caller's transaction."""
    row = {name: getattr(record, name) for name in AttentionRecord.__slots__}
    Attention.insert(**row).on_conflict(
        conflict_target=[Attention.agent_id],
        update={name: value for name, value in row.items() if name != "agent_id"},
    ).execute()


def clear(agent_id: str) -> bool:
    """Take the row away, in the caller's transaction; whether there was one."""
    return bool(Attention.delete().where(Attention.agent_id == agent_id).execute())


def all_agents() -> set[str]:
    """The agents with a row."""
    return {row[0] for row in execute("SELECT agent_id FROM attention").fetchall()}


def untold() -> set[str]:
    """The agents whose event waited for their log, which is attached by now."""
    rows = execute(
        "SELECT a.agent_id FROM attention a JOIN log_attachment l ON l.agent_id = a.agent_id"
        " AND l.status = 'active' JOIN agent g ON g.agent_id = a.agent_id AND g.active"
        " WHERE NOT a.told"
    )
    return {row[0] for row in rows.fetchall()}


def log_place(agent_id: str) -> LogPlace | None:
    """Where the agent's log stands; ``None`` while the agent has no attached log."""
    row = execute(
        "SELECT l.attachment_id, l.log_path, COALESCE(o.byte_offset, 0),"
        " COALESCE(o.line_offset, 0) FROM log_attachment l"
        " JOIN agent g ON g.agent_id = l.agent_id AND g.active"
        " LEFT JOIN log_offset o ON o.agent_id = l.agent_id AND o.log_path = l.log_path"
        " WHERE l.agent_id = ? AND l.status = 'active'",
        (agent_id,),
    ).fetchone()
    return None if row is None else LogPlace(*row)


def append_event(
    agent_id: str, container_id: str, place: LogPlace, payload: str, now: Micros
) -> None:
    """Write the ``waiting_for_input`` event of an appearance, in the caller's transaction."""
    execute(
        "INSERT INTO event (kind, event_type, actor, container_id, agent_id, byte_start, payload,"
        " created_at) VALUES ('agent', 'waiting_for_input', 'daemon', ?, ?, ?, ?, ?)",
        (container_id, agent_id, place.byte_offset, payload, now),
    )


def _record(row: Sequence[Any]) -> AttentionRecord:
    values = [*row[:-1], bool(row[-1])]
    return AttentionRecord(*values)
