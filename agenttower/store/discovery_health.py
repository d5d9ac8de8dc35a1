"""What the last looks for panes came to."""

from __future__ import annotations

from dataclasses import dataclass

from agenttower.store.models.base import execute


@dataclass(frozen=True, slots=True)
class LookedInto:
    """A container that runs, and what the last look into it failed with."""

    provider: str
    error: str | None


@dataclass(frozen=True, slots=True)
class LastPaneScan:
    """The newest row of ``pane_scan``."""

    status: str
    containers_scanned: int
    containers_tmux_unavailable: int

    @property
    def saw_nothing(self) -> bool:
        """Not one container could be looked into."""
        return self.status == "failed" or (
            self.containers_tmux_unavailable >= self.containers_scanned > 0
        )


def looked_into() -> list[LookedInto]:
    """The containers that run."""
    rows = execute("SELECT provider, pane_scan_error FROM container WHERE active").fetchall()
    return [LookedInto(*row) for row in rows]


def last_pane_scan() -> LastPaneScan | None:
    """The newest of all scans for panes, those of one container included."""
    row = execute(
        "SELECT status, containers_scanned, containers_tmux_unavailable FROM pane_scan"
        " ORDER BY completed_at DESC LIMIT 1"
    ).fetchone()
    return None if row is None else LastPaneScan(*row)
