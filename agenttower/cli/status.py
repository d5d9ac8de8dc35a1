"""``agenttower status``."""

from __future__ import annotations

import click

from agenttower.cli.invocation import Invocation, pass_run
from agenttower.cli.options import json_option


@click.command("status", short_help="Is the daemon there, and how is it?")
@json_option
@pass_run
def command(run: Invocation) -> None:
    """Is the daemon there, and how is it?

    Exit code 6 where it cannot be reached.

    \b
    Examples:
      agenttower status
      agenttower status --json
    """
    answer = run.call("status", {})
    if run.output.json_mode:
        run.output.result(answer)
        return
    named = {"start_time" if name == "start_time_utc" else name: v for name, v in answer.items()}
    run.output.fields(named)
