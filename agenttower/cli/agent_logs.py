"""``agenttower agent attach-log|detach-log|log-status``."""

from __future__ import annotations

import click

from agenttower.cli.invocation import Invocation, given, pass_run
from agenttower.cli.log_sources import one_agent
from agenttower.cli.options import json_option

WAIT_SECONDS = 45.0

_agent = click.argument("agent", metavar="AGENT")


@click.command("attach-log")
@_agent
@click.option(
    "--log",
    "log_path",
    metavar="PATH",
    help="The file, as the bench sees it; without it, the usual place.",
)
@json_option
@pass_run
def attach(run: Invocation, agent: str, log_path: str | None) -> None:
    """Capture what an agent's pane prints into a file of the host.

    A log that is attached already is attached again, e.g. after its file was lost. Another program
    that the pane was piped into ends.

    \b
    Examples:
      agenttower agent attach-log agt_0123456789ab
      agenttower agent attach-log s1 --log /work/logs/s1.log
    """
    params = given(agent_id=one_agent(run, agent), log_path=log_path)
    _show(run, run.call("attach_log", params, WAIT_SECONDS))


@click.command("detach-log")
@_agent
@json_option
@pass_run
def detach(run: Invocation, agent: str) -> None:
    """Stop to capture what an agent's pane prints. The file is kept.

    \b
    Example:
      agenttower agent detach-log agt_0123456789ab
    """
    _show(run, run.call("detach_log", {"agent_id": one_agent(run, agent)}, WAIT_SECONDS))


@click.command("log-status")
@_agent
@json_option
@pass_run
def status(run: Invocation, agent: str) -> None:
    """Show where an agent's log is, in which state, and how far it has been read.

    \b
    Example:
      agenttower agent log-status s1
    """
    _show(run, run.call("attach_log_status", {"agent_id": one_agent(run, agent)}))


def _show(run: Invocation, answer: dict[str, object]) -> None:
    if run.output.json_mode:
        run.output.result(answer)
    else:
        run.output.fields(answer)
