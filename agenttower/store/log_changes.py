"""Named queries on the requests to attach and detach logs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from agenttower.clock import SECOND, Micros
from agenttower.store.models import LogChange

KEPT: Micros = 24 * 3600 * SECOND
"""How long an outcome can be asked for."""

UNDER_WAY = ("open", "undoing")


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """A row of ``log_change``; documents are decoded."""

    change_id: str
    agent_id: str
    container_id: str
    kind: Literal["attach", "detach"]
    state: str
    request: dict[str, Any]
    outcome: dict[str, Any] | None

    @property
    def under_way(self) -> bool:
        return self.state in UNDER_WAY


def by_id(change_id: str) -> ChangeRecord | None:
    """The request of this id."""
    row = LogChange.get_or_none(LogChange.change_id == change_id)
    return None if row is None else _record(row)


def under_way(agent_id: str) -> ChangeRecord | None:
    """What is being done to the agent's log."""
    row = LogChange.get_or_none(LogChange.agent_id == agent_id, LogChange.state.in_(UNDER_WAY))
    return None if row is None else _record(row)


def pane_is_busy(container_id: str, request: dict[str, Any]) -> bool:
    """Whether something is being done to the pane that a request is about, for whichever agent.

    A pane has one pipe: who lost the race to register it must not take the winner's away.
    """
    query = LogChange.select(LogChange.request).where(
        LogChange.container_id == container_id, LogChange.state.in_(UNDER_WAY)
    )
    return any(_pane(json.loads(row.request)) == _pane(request) for row in query)


def _pane(request: dict[str, Any]) -> tuple[str, str]:
    return request["target"]["socket_path"], request["target"]["pane_id"]


def insert(
    change_id: str,
    agent_id: str,
    container_id: str,
    kind: str,
    request: dict[str, Any],
    now: Micros,
) -> None:
    """Accept a request, and forget those that ended long ago."""
    LogChange.delete().where(LogChange.finished_at < now - KEPT).execute()
    LogChange.insert(
        change_id=change_id,
        agent_id=agent_id,
        container_id=container_id,
        kind=kind,
        state="open",
        request=json.dumps(request),
        created_at=now,
    ).execute()


def fail(change_id: str, outcome: dict[str, Any]) -> None:
    """It has failed for good; what it did to the pane is still to be cleared away."""
    LogChange.update(state="undoing", outcome=json.dumps(outcome)).where(
        LogChange.change_id == change_id, LogChange.state == "open"
    ).execute()


def finish(change_id: str, now: Micros, outcome: dict[str, Any] | None = None) -> None:
    """It has ended: well with an ``outcome``, else as :func:`fail` said."""
    changes: dict[str, Any] = {"finished_at": now, "state": "failed"}
    if outcome is not None:
        changes |= {"state": "done", "outcome": json.dumps(outcome)}
    LogChange.update(**changes).where(
        LogChange.change_id == change_id, LogChange.state.in_(UNDER_WAY)
    ).execute()


def _record(row: LogChange) -> ChangeRecord:
    documents = {
        "request": json.loads(row.request),
        "outcome": None if row.outcome is None else json.loads(row.outcome),
    }
    plain = ("change_id", "agent_id", "container_id", "kind", "state")
    return ChangeRecord(**{name: getattr(row, name) for name in plain}, **documents)
