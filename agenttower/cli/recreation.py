"""Recreating a pane and following its successor: ask, watch every change, show the end."""

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
    "the successor may have been accepted or not; look with 'agenttower pane list', or repeat "
    "the command: a pane that has a successor does not get a second one"
)


def recreate(run: Invocation, params: Mapping[str, Any], detach: bool) -> ExitCode:
    """Ask for the successor and follow it to its end.

    :returns: the exit code that the successor's state calls for.
    """
    started = time.monotonic()
    accepted = order(run, "managed.pane.recreate", params, UNKNOWN)
    if accepted is None:
        return ExitCode.INTERRUPTED
    pane_id: str = accepted["pane_id"]
    try:
        if detach:
            _show_accepted(run, accepted)
            return ExitCode.OK
        layout = _follow(run, pane_id)
    except KeyboardInterrupt:
        return stop_following(run, "pane", pane_id, "interrupted", ExitCode.INTERRUPTED)
    _show_end(run, layout, time.monotonic() - started)
    return END_CODES.get(layout["panes"][0]["state"], ExitCode.OK)


def _follow(run: Invocation, pane_id: str) -> dict[str, Any]:
    """The layout, its panes cut down to the successor, once that has been created.

    Other panes of the layout may still be under way then.
    """
    from agenttower.client import DaemonUnreachable

    try:
        pane = _detail(run, pane_id)
    except DaemonUnreachable as error:
        raise DaemonUnreachable(
            f"the daemon went away after it had accepted successor {pane_id}; its creation goes on "
            "once a worker runs; start the daemon with 'agenttower up' and look with "
            f"'agenttower pane show {pane_id}'"
        ) from error
    with view(run, f"successor {plain(pane_id)} {plain(pane['state'])}") as shown:
        for layout in watch(run, pane["layout_id"], None):
            panes = [pane for pane in layout["panes"] if pane["pane_id"] == pane_id]
            # One that has been removed or replaced meanwhile is no longer among them.
            only = {**layout, "panes": panes or [_detail(run, pane_id)]}
            shown.update(only)
            if only["panes"][0]["state"] != "creating":
                return only
    raise AssertionError("a layout is creating as long as one of its panes is")


def _detail(run: Invocation, pane_id: str) -> dict[str, Any]:
    return run.call("managed.pane.detail", {"pane_id": pane_id})


def _show_accepted(run: Invocation, accepted: dict[str, Any]) -> None:
    if run.output.json_mode:
        run.output.result(accepted)
    elif run.output.for_people:
        pane_id = plain(accepted["pane_id"])
        again = " (this key was used before)" if accepted.get("replay") else ""
        run.output.line(f"Pane {pane_id} is {plain(accepted['state'])}{again}.")
        run.output.line(f"Look with: agenttower pane show {pane_id}")
    else:
        run.output.fields(accepted)


def _show_end(run: Invocation, layout: dict[str, Any], seconds: float) -> None:
    output, pane = run.output, layout["panes"][0]
    if output.json_mode:
        output.result(pane)
        return
    attach = attach_command(run, layout)
    pane_id, state = plain(pane["pane_id"]), plain(pane["state"])
    if output.for_people:
        output.line()
        show_panes(output, RESULT_COLUMNS, [pane])
        output.line(
            f"\nPane {pane_id}, in place of {plain(pane['predecessor_id'])}, "
            f"is {output.paint_state(state)} after {seconds:.2f} s."
        )
        if attach:
            output.line(f"Attach with: {attach}")
        if state != "ready":
            output.line(f"Details with: agenttower pane show {pane_id}")
        return
    result_lines(output, [pane])
    output.line(f"successor {pane_id} {state} {round(seconds * 1000)}")
    if attach:
        output.line(f"attach {attach}")
