"""``agenttower scan``."""

from __future__ import annotations

import click

from agenttower.cli.exit_codes import ExitCode
from agenttower.cli.invocation import Invocation, pass_run
from agenttower.cli.options import json_option
from agenttower.cli.text import milliseconds

SCAN_SECONDS = 100.0
"""Scans wait for each other; the daemon gives up after 90 s."""


@click.command("scan", short_help="Look for bench containers now.")
@click.option("--containers", is_flag=True, help="Scan for containers; this is the default.")
@json_option
@pass_run
def command(run: Invocation, containers: bool) -> ExitCode:
    """Look for bench containers now, and remember what was found.

    Which containers count is set in config.toml: [containers] name_contains. Exit code 5 where
    some of them could not be inspected.

    \b
    Examples:
      agenttower scan
      agenttower scan --json
    """
    answer = run.call("scan_containers", {}, SCAN_SECONDS)
    if run.output.json_mode:
        run.output.result(answer)
    else:
        duration = milliseconds(answer.get("started_at"), answer.get("completed_at"))
        run.output.fields({**answer, "duration_ms": duration})
    return ExitCode.DEGRADED if answer.get("status") == "degraded" else ExitCode.OK
