"""Named queries on discovered panes and their scans (legacy surfaces part 1, section 7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from agenttower.clock import Micros
from agenttower.domain.identifiers import is_container_id
from agenttower.store.models import Pane, PaneScan
from agenttower.store.models.base import execute

SHORT_ID = 12


@dataclass(frozen=True, slots=True, order=True)
class PaneKey:
    """The six parts that make a pane; all must match for two sights to be of the same pane."""

    container_id: str
    tmux_socket_path: str
    tmux_session_name: str
    tmux_window_index: int
    tmux_pane_index: int
    tmux_pane_id: str

    def short(self) -> str:
        """``session:window.pane``, as people write it."""
        return f"{self.tmux_session_name}:{self.tmux_window_index}.{self.tmux_pane_index}"


PANE_KEY = tuple(field.name for field in fields(PaneKey))


@dataclass(frozen=True, slots=True)
class PaneSight:
    """A pane as a scan saw it, cleaned and cut: what its row keeps beside the key."""

    key: PaneKey
    tmux_server: str
    container_user: str
    token: str
    pane_pid: int
    pane_tty: str
    pane_current_command: str
    pane_current_path: str
    pane_title: str
    pane_active: bool


@dataclass(frozen=True, slots=True)
class PaneRecord(PaneSight):
    """A row of ``pane`` with its container's name and who lives in it."""

    container_name: str
    active: bool
    first_seen_at: Micros
    last_scanned_at: Micros
    agent_id: str | None = None
    """The active agent in it."""
    origin: str | None = None
    managed_pane_id: str | None = None
    """Set on panes that AgentTower made."""


_OWN = [field.name for field in fields(PaneSight)][1:]
_SHOWN = [*_OWN, "active", "first_seen_at", "last_scanned_at"]
_SAME_KEY = " AND ".join(f"adopted.{name} = pane.{name}" for name in PANE_KEY)
ID_OF_TOKEN = " || '-' || ".join(
    f"SUBSTR(pane.token, {start}, {length})"
    for start, length in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
)
"""The id of the managed pane whose mark ``pane`` bears, as an expression."""

# A pane of ours is known by its token: its indices may have changed since it was registered.
_SELECT = f"""
SELECT {", ".join(f"pane.{name}" for name in (*PANE_KEY, *_SHOWN))},
  container.name, COALESCE(adopted.agent_id, managed.agent_id),
  COALESCE(adopted.origin, managed.origin), managed_pane.pane_id
FROM pane JOIN container ON container.id = pane.container_id
LEFT JOIN managed_pane ON managed_pane.pane_id = {ID_OF_TOKEN}
  AND managed_pane.container_id = pane.container_id
LEFT JOIN agent AS managed ON managed.agent_id = managed_pane.reserved_agent_id
  AND managed.active AND pane.active
LEFT JOIN agent AS adopted ON managed_pane.pane_id IS NULL AND adopted.origin = 'adopted'
  AND adopted.active AND pane.active AND {_SAME_KEY}
"""


def stored_active(container_ids: Iterable[str]) -> dict[PaneKey, str]:
    """The panes of these containers that were there at the last scan, with their servers."""
    wanted = list(container_ids)
    marks = ", ".join("?" for _ in wanted)
    rows = execute(
        f"SELECT {', '.join(PANE_KEY)}, tmux_server FROM pane"
        f" WHERE active AND container_id IN ({marks})",
        wanted,
    ).fetchall()
    return {PaneKey(*row[:-1]): row[-1] for row in rows}


def see(sight: PaneSight, now: Micros, *, anew: bool) -> None:
    """Store that a scan saw the pane.

    :param anew: it is not the pane that was seen here before, so it was first seen now.
    """
    row = {name: getattr(sight.key, name) for name in PANE_KEY} | {
        name: getattr(sight, name) for name in _OWN
    }
    times = {"active": True, "last_scanned_at": now, "last_seen_at": now}
    kept = {name: row[name] for name in _OWN} | times
    (
        Pane.insert(**row, **times, first_seen_at=now)
        .on_conflict(
            conflict_target=[getattr(Pane, name) for name in PANE_KEY],
            update=kept | ({"first_seen_at": now} if anew else {}),
        )
        .execute()
    )


def forget(keys: Iterable[PaneKey], now: Micros) -> None:
    """These panes were looked for and are gone."""
    _update(keys, now, active=False)


def touch(keys: Iterable[PaneKey], now: Micros) -> None:
    """These panes were looked for, and nothing could be learnt of them."""
    _update(keys, now)


def record_scan(row: Mapping[str, Any]) -> None:
    """Write the scan's own row."""
    PaneScan.insert(**row).execute()


def by_key(key: PaneKey) -> PaneRecord | None:
    """The pane of this key, active or not; ``None`` also where its container has no row."""
    condition = " AND ".join(f"pane.{name} = ?" for name in PANE_KEY)
    rows = _all(f"WHERE {condition}", [getattr(key, name) for name in PANE_KEY])
    return rows[0] if rows else None


def listing(*, active_only: bool, container: str | None, only_id: str | None) -> list[PaneRecord]:
    """Stored panes in the order of section 7.5; those without a container's row are hidden.

    :param container: full id, its first 12 characters, or exact name.
    :param only_id: the only container whose panes may be shown.
    """
    conditions, values = ["TRUE"], list[object]()
    if active_only:
        conditions.append("pane.active")
    if only_id is not None:
        conditions.append("pane.container_id = ?")
        values.append(only_id)
    if container is not None and is_container_id(container) and len(container) != SHORT_ID:
        conditions.append("pane.container_id = ?")
        values.append(container)
    elif container is not None:
        short = f"SUBSTR(pane.container_id, 1, {SHORT_ID}) = ?"
        conditions.append(f"(container.name = ? OR {short})")
        values += [container, container]
    order = ", ".join(f"pane.{name}" for name in PANE_KEY)
    return _all(f"WHERE {' AND '.join(conditions)} ORDER BY pane.active DESC, {order}", values)


def _update(keys: Iterable[PaneKey], now: Micros, **changes: object) -> None:
    for key in keys:
        Pane.update(last_scanned_at=now, **changes).where(
            *(getattr(Pane, name) == getattr(key, name) for name in PANE_KEY)
        ).execute()


def _all(rest: str, values: Sequence[object]) -> list[PaneRecord]:
    parts = len(PANE_KEY)
    names = [*_SHOWN, "container_name", "agent_id", "origin", "managed_pane_id"]
    records = []
    for row in execute(f"{_SELECT} {rest}", values).fetchall():
        facts = dict(zip(names, row[parts:], strict=True))
        for flag in ("active", "pane_active"):
            facts[flag] = bool(facts[flag])
        records.append(PaneRecord(PaneKey(*row[:parts]), **facts))
    return records
