"""``agenttower doctor``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from agenttower.cli.invocation import Invocation, pass_run
from agenttower.cli.options import json_report_option
from agenttower.cli.output import Output
from agenttower.cli.text import safe

if TYPE_CHECKING:
    from agenttower.client.doctor.row import Row

COLOURS = {"pass": "green", "warn": "yellow", "fail": "red", "info": "bright_black"}


@click.command("doctor", short_help="What may keep AgentTower from working here, and what to do.")
@json_report_option
@pass_run
def command(run: Invocation) -> int:
    """Check everything that AgentTower needs, and say what to do about each thing that is wrong.

    The six checks of 'config doctor', then: as whom the daemon sees you, uid, versions, the app
    contract, worker, health, mounts, tmux; and on the host the engine, tmux in every bench, the
    state directory, config.toml, templates, profiles and rules. Nothing is changed.

    Exit code 0: nothing failed; 1: no usable socket path; 2: nobody is at the socket; 3: somebody
    is, and it does not work; 5: something else failed.

    \b
    Examples:
      agenttower doctor
      agenttower doctor --json
    """
    import logging

    from agenttower.client.doctor.contract import contract_rows
    from agenttower.client.doctor.ours import our_rows
    from agenttower.client.doctor.row import document, exit_code
    from agenttower.client.doctor.seen import Seen
    from agenttower.client.socket_path import SocketOverrideInvalid
    from agenttower.doctor.host import host_rows
    from agenttower.paths import default_paths

    logging.getLogger("agenttower").addHandler(logging.NullHandler())  # the rows tell it all
    try:
        seen = Seen(run.socket_choice)
    except SocketOverrideInvalid as error:
        seen = Seen(error)
    rows = [
        *contract_rows(seen, host_pane_counts=False),
        *our_rows(seen),
        *host_rows(seen, default_paths()),
    ]
    if run.output.json_mode:
        run.output.document(document(rows))
    else:
        show(run.output, rows)
    return exit_code(rows)


def show(output: Output, rows: Sequence[Row]) -> None:
    """Aligned and coloured for people; for pipes as the contract has it."""
    from agenttower.client.doctor.row import exit_code, lines, short

    if not output.for_people:
        for line in lines(rows):
            output.line(safe(line.replace("\t", "\0")).replace("\\x00", "\t"))
        return
    widest = max(len(row.check) for row in rows)
    for row in rows:
        status = output.paint(row.status, fg=COLOURS[row.status])
        output.line(f"{row.check.ljust(widest)}  {status}  {safe(short(row.details))}")
        if row.hint is not None:
            output.line(f"    {safe(short(row.hint))}")
    passed = sum(row.status == "pass" for row in rows)
    output.line(f"\n{passed}/{len(rows)} checks passed (exit code {exit_code(rows)})")
