"""Named queries on settings that outlive processes."""

from __future__ import annotations

from dataclasses import dataclass

from agenttower.clock import Micros
from agenttower.store.database import Store
from agenttower.store.models import DaemonState
from agenttower.store.models.base import execute


@dataclass(frozen=True, slots=True)
class SwitchRecord:
    """A row of ``daemon_state``."""

    value: str
    last_updated_at: Micros
    last_updated_by: str


def find(key: str) -> SwitchRecord | None:
    """The setting, or ``None`` where it was never written."""
    row = execute(
        "SELECT value, last_updated_at, last_updated_by FROM daemon_state WHERE key = ?", (key,)
    ).fetchone()
    return None if row is None else SwitchRecord(*row)


def seed(store: Store, key: str, value: str, now: Micros, by: str) -> None:
    """Write the setting unless it stands already."""
    store.execute(
        "INSERT INTO daemon_state (key, value, last_updated_at, last_updated_by)"
        " VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (key, value, now, by),
    )


def write(key: str, value: str, now: Micros, by: str) -> None:
    """Change the setting."""
    DaemonState.update(value=value, last_updated_at=now, last_updated_by=by).where(
        DaemonState.key == key
    ).execute()
