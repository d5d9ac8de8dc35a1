"""The live table of a creation, for terminals. The only module that needs rich."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from agenttower.cli.output import STATE_COLOURS, Output, plain
from agenttower.cli.stages import STAGES, StageView, stage_of
from agenttower.cli.text import milliseconds

TITLES = ("PANE", "ROLE", "CREATE", "LAUNCH", "REGISTER", "LOG", "STATE")
SIGNS = {"done": "✓", "failed": "✗", "skipped": "-", "waiting": "·", "pending": "…", "running": "▸"}
FRAMES_PER_SECOND = 12


class LiveView:
    """Each pane a row, each stage a column, redrawn in place until left."""

    def __init__(self, output: Output) -> None:
        self._layout: Mapping[str, Any] | None = None
        self._console = Console(
            file=output.stdout, no_color=not output.coloured(), highlight=False, markup=False
        )
        self._spinner = Spinner("dots", text=" waiting for the daemon")
        self._live = Live(
            get_renderable=self._picture,
            console=self._console,
            refresh_per_second=FRAMES_PER_SECOND,
        )

    def __enter__(self) -> LiveView:
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)

    def update(self, layout: Mapping[str, Any]) -> None:
        self._layout = layout
        self._live.refresh()

    def _picture(self) -> Spinner | Table:
        if self._layout is None:
            return self._spinner
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for title in TITLES:
            table.add_column(title, no_wrap=True, min_width=len("✓ 1000 ms"))
        for pane in self._layout["panes"]:
            cells = [_cell(stage_of(pane, name)) for name in STAGES]
            state = plain(pane["state"])
            table.add_row(
                Text(plain(pane["label"])), Text(plain(pane["role"])), *cells, _coloured(state)
            )
        return table


def _coloured(text: str, state: str | None = None) -> Text:
    return Text(text, style=STATE_COLOURS.get(state or text, "").replace("bright_black", "dim"))


def _cell(stage: StageView) -> Text:
    parts = [SIGNS.get(stage.status, plain(stage.status))]
    time = _time(stage)
    if time is not None and (time or stage.status != "pending"):
        parts.append(f"{time} ms")
    if stage.attempts > 1 or (stage.attempts and stage.status == "pending"):
        parts.append(f"try {stage.attempts + (stage.status == 'pending')}")
    return _coloured(" ".join(parts), stage.status)


def _time(stage: StageView) -> int | None:
    """Milliseconds: how long until a pending stage may start, else how long it has taken."""
    now = datetime.now(UTC).isoformat()
    if stage.status == "pending":
        return milliseconds(now, stage.next_attempt_at)
    if stage.status == "running":
        return milliseconds(stage.started_at, now)
    return stage.elapsed_ms
