"""``agenttower routing``."""

from __future__ import annotations

import click

from agenttower.cli.invocation import Invocation, pass_run
from agenttower.cli.options import json_option


@click.group("routing", short_help="The kill switch of all prompts.")
def command() -> None:
    """The kill switch: while routing is disabled, no prompt is delivered to anybody.

    New prompts are then accepted as blocked, queued ones stay queued, and the one that is being
    typed is finished. Only the host may turn the switch.

    \b
    Examples:
      agenttower routing disable
      agenttower routing status
    """


@command.command("enable")
@json_option
@pass_run
def enable(run: Invocation) -> None:
    """Let prompts go their way again. Those that were blocked meanwhile wait to be approved.

    \b
    Example:
      agenttower routing enable
    """
    _show(run, "routing.enable")


@command.command("disable")
@json_option
@pass_run
def disable(run: Invocation) -> None:
    """Stop all deliveries.

    \b
    Example:
      agenttower routing disable
    """
    _show(run, "routing.disable")


@command.command("status")
@json_option
@pass_run
def status(run: Invocation) -> None:
    """Say whether prompts are delivered, and who decided that, and when.

    \b
    Example:
      agenttower routing status
    """
    _show(run, "routing.status")


def _show(run: Invocation, method: str) -> None:
    answer = run.call(method, {})
    if run.output.json_mode:
        run.output.result(answer)
        return
    run.output.fields(answer)
