"""What a removal would destroy, and whether the operator means it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from agenttower.cli.invocation import Invocation
from agenttower.cli.output import Column, Output, key
from agenttower.cli.text import short_id

COLUMNS = (
    key("PANE", "pane_id"),
    key("LABEL", "label"),
    key("ROLE", "role"),
    key("STATE", "state"),
    key("LAYOUT", "layout_id"),
    key("SESSION", "tmux_session_name"),
    Column(
        "CONTAINER",
        lambda row: row.get("container_id"),
        lambda row: row.get("container_name") or short_id(row.get("container_id") or "-"),
    ),
)


def pane_removal_agreed(run: Invocation, pane_ids: Sequence[str]) -> bool:
    """Whether to remove these panes. One needs no question.

    :raises click.UsageError: there is a question, and nobody to ask.
    """
    if len(pane_ids) == 1:
        return True
    _insist_on_someone_to_ask(run, f"{len(pane_ids)} panes")
    return _ask(run, [_pane(run, pane_id) for pane_id in pane_ids])


def layout_removal_agreed(run: Invocation, layout_ids: Sequence[str]) -> bool:
    """Whether to remove these layouts. One pane in all, or none, needs no question.

    :raises click.UsageError: there is a question, and nobody to ask.
    :raises RpcError: one of them is not there.
    """
    if len(layout_ids) > 1:
        _insist_on_someone_to_ask(run, f"{len(layout_ids)} layouts")
    details = (run.call("managed.layout.detail", {"layout_id": name}) for name in layout_ids)
    panes = [pane for detail in details for pane in detail["panes"]]
    if len(panes) <= 1:
        return True
    _insist_on_someone_to_ask(run, f"{len(panes)} panes")
    return _ask(run, panes)


def _insist_on_someone_to_ask(run: Invocation, what: str) -> None:
    if run.output.json_mode or sys.stdin is None or not sys.stdin.isatty():
        raise click.UsageError(
            f"this removes {what}, and there is nobody to ask whether that is meant; "
            "say --yes if it is"
        )


def _pane(run: Invocation, pane_id: str) -> dict[str, Any]:
    from agenttower.client import RpcError

    try:
        return run.call("managed.pane.detail", {"pane_id": pane_id})
    except RpcError:
        return {"pane_id": pane_id}  # its removal will be refused, with the reason


def _ask(run: Invocation, panes: Sequence[dict[str, Any]]) -> bool:
    """Show what would be destroyed, beside the results, and ask."""
    names = run.container_names()
    rows = [{**pane, "container_name": names.get(pane.get("container_id", ""))} for pane in panes]
    Output(colour=run.output.colour, stdout=run.output.stderr).rows(COLUMNS, rows)
    return click.confirm(f"Remove {len(panes)} panes, and end all that runs in them?", err=True)
