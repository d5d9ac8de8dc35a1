"""``agenttower container``."""

from __future__ import annotations

import click

from agenttower.cli.invocation import Invocation, pass_run
from agenttower.cli.options import json_option
from agenttower.cli.output import Column, key
from agenttower.cli.text import age, short_id

COLUMNS = (
    key("ACTIVE", "active"),
    Column("ID", lambda row: row["id"], lambda row: short_id(row["id"])),
    key("NAME", "name"),
    key("IMAGE", "image"),
    key("STATUS", "status"),
    Column(
        "LAST_SCANNED",
        lambda row: row["last_scanned_at"],
        lambda row: f"{age(row['last_scanned_at'])} ago",
    ),
)


@click.group("container", short_help="Bench containers.")
def command() -> None:
    """Bench containers, as the last scan saw them.

    \b
    Example:
      agenttower container list
    """


@command.command("list")
@click.option("--active-only", is_flag=True, help="Only containers that run.")
@json_option
@pass_run
def list_containers(run: Invocation, active_only: bool) -> None:
    """List the containers that are known.

    \b
    Examples:
      agenttower container list
      agenttower container list --active-only --json
    """
    answer = run.call("list_containers", {"active_only": active_only})
    if run.output.json_mode:
        run.output.result(answer)
        return
    run.output.rows(
        COLUMNS,
        answer["containers"],
        empty="No containers are known. Start one whose name fits and run 'agenttower scan'.",
    )
