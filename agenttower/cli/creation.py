"""Creating a layout and following it: ask, watch every change, show the end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from agenttower.cli.attach import attach_command
from agenttower.cli.exit_codes import ExitCode
from agenttower.cli.following import END_CODES, order, stop_following, view, watch
from agenttower.cli.invocation import Invocation
from agenttower.cli.output import plain
from agenttower.cli.pane_table import RESULT_COLUMNS, result_lines, show_panes

UNKNOWN = (
    "the layout may have been accepted or not; look with 'agenttower layout list', or repeat "
    "the command: a layout that exists is never made twice under the same session name"
)


def create(
    run: Invocation, params: Mapping[str, Any], detach: bool, timeout: float | None
) -> ExitCode:
    """Ask for the layout and follow it to its end.

    :param timeout: seconds to follow at most, ``None`` for no limit.
    :returns: the exit code that the layout's state calls for.
    """
    started = time.monotonic()
    accepted = order(run, "managed.layout.create", params, UNKNOWN)
    if accepted is None:
        return ExitCode.INTERRUPTED
    layout_id: str = accepted["layout_id"]
    try:
        if detach:
            _show_accepted(run, accepted)
            return ExitCode.OK
        until = None if timeout is None else started + timeout
        layout = _follow(run, layout_id, until)
    except KeyboardInterrupt:
        return stop_following(run, "layout", layout_id, "interrupted", ExitCode.INTERRUPTED)
    if layout is None:
        return stop_following(run, "layout", layout_id, "timed_out", ExitCode.TIMED_OUT)
    _show_end(run, layout, time.monotonic() - started)
    return END_CODES.get(layout["state"], ExitCode.OK)


def _follow(run: Invocation, layout_id: str, until: float | None) -> dict[str, Any] | None:
    layout: dict[str, Any] | None = None
    with view(run, f"layout {plain(layout_id)} creating") as shown:
        for layout in watch(run, layout_id, until):
            shown.update(layout)
    return layout if layout and layout["state"] != "creating" else None


def _show_accepted(run: Invocation, accepted: dict[str, Any]) -> None:
    if run.output.json_mode:
        run.output.result(accepted)
    elif run.output.for_people:
        layout_id = plain(accepted["layout_id"])
        again = " (this key was used before)" if accepted.get("replay") else ""
        run.output.line(f"Layout {layout_id} is {plain(accepted['state'])}{again}.")
        run.output.line(f"Look with: agenttower layout show {layout_id}")
    else:
        run.output.fields({name: v for name, v in accepted.items() if name != "panes"})


def _show_end(run: Invocation, layout: dict[str, Any], seconds: float) -> None:
    output = run.output
    if output.json_mode:
        output.result(layout)
        return
    attach = attach_command(run, layout)
    layout_id, state = plain(layout["layout_id"]), plain(layout["state"])
    if output.for_people:
        output.line()
        show_panes(output, RESULT_COLUMNS, layout["panes"])
        output.line(f"\nLayout {layout_id} is {output.paint_state(state)} after {seconds:.2f} s.")
        if attach:
            output.line(f"Attach with: {attach}")
        if state != "ready":
            output.line(f"Details with: agenttower layout show {layout_id}")
        return
    result_lines(output, layout["panes"])
    output.line(f"layout {layout_id} {state} {round(seconds * 1000)}")
    if attach:
        output.line(f"attach {attach}")
