"""``agenttower scan``."""

from __future__ import annotations

from typing import Any

import click

from agenttower.cli.exit_codes import ExitCode
from agenttower.cli.invocation import Invocation, given, pass_run
from agenttower.cli.options import json_option
from agenttower.cli.text import milliseconds

SCAN_SECONDS = 100.0
"""Scans wait for each other; the daemon gives up after 90 s."""


@click.command("scan", short_help="Look for bench containers, or for tmux panes in them, now.")
@click.option("--containers", is_flag=True, help="Scan for containers; this is the default.")
@click.option("--panes", is_flag=True, help="Scan the tmux servers in the containers for panes.")
@click.option(
    "--container", metavar="CONTAINER", help="With --panes: only this one, by name or id."
)
@json_option
@pass_run
def command(run: Invocation, containers: bool, panes: bool, container: str | None) -> ExitCode:
    """Look for bench containers now, or for the tmux panes in them, and remember what was found.

    Which containers count is set in config.toml: [containers] name_contains. With both, the
    containers come first. Exit code 5 where some could not be asked.

    \b
    Examples:
      agenttower scan
      agenttower scan --panes --container bench-1 --json
    """
    if container is not None and not panes:
        raise click.UsageError("--container goes with --panes")
    answers: dict[str, dict[str, Any]] = {}
    if containers or not panes:
        answers["containers"] = run.call("scan_containers", {}, SCAN_SECONDS)
    if panes:
        answers["panes"] = run.call("scan_panes", given(container=container), SCAN_SECONDS)
    if run.output.json_mode:
        run.output.result(answers if len(answers) > 1 else next(iter(answers.values())))
    else:
        for answer in answers.values():
            duration = milliseconds(answer.get("started_at"), answer.get("completed_at"))
            run.output.fields({**answer, "duration_ms": duration})
    degraded = any(answer.get("status") == "degraded" for answer in answers.values())
    return ExitCode.DEGRADED if degraded else ExitCode.OK
