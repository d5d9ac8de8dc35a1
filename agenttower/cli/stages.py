"""The stages of a pane's creation as they change, and the plain view of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agenttower.cli.output import Output, plain
from agenttower.cli.text import milliseconds

STAGES = ("pane_create", "launch_command", "registration", "log_attach")


@dataclass(frozen=True, slots=True)
class StageView:
    """One stage of one pane, as the daemon last told."""

    status: str = "waiting"
    attempts: int = 0
    started_at: str | None = None
    finished_at: str | None = None
    next_attempt_at: str | None = None

    @property
    def elapsed_ms(self) -> int | None:
        """How long it took, once it has finished."""
        return milliseconds(self.started_at, self.finished_at)


def stage_of(pane: Mapping[str, Any], stage: str) -> StageView:
    """The named stage of a PANE of the wire; a missing one is waiting."""
    found: Mapping[str, Any] = (pane.get("stages") or {}).get(stage) or {}
    return StageView(
        status=found.get("status") or "waiting",
        attempts=found.get("attempts") or 0,
        started_at=found.get("started_at"),
        finished_at=found.get("finished_at"),
        next_attempt_at=found.get("next_attempt_at"),
    )


class PlainView:
    """One line for each change: ``pane <label> <stage> <status> <ms>``, ``-`` for no time yet."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._seen: dict[tuple[str, str], tuple[str, int]] = {}

    def __enter__(self) -> PlainView:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, layout: Mapping[str, Any]) -> None:
        for line in self._changes(layout):
            self._output.line(line)

    def _changes(self, layout: Mapping[str, Any]) -> Iterator[str]:
        for pane in layout["panes"]:
            for name in STAGES:
                stage = stage_of(pane, name)
                now = (stage.status, stage.attempts)
                before = self._seen.get((pane["pane_id"], name), ("waiting", 0))
                if now != before and stage.status != "waiting":
                    elapsed = plain(stage.elapsed_ms)
                    yield f"pane {plain(pane['label'])} {name} {plain(stage.status)} {elapsed}"
                self._seen[pane["pane_id"], name] = now
