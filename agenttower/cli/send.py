"""``agenttower send``."""

from __future__ import annotations

import time

import click

from agenttower.cli import references
from agenttower.cli.exit_codes import ExitCode
from agenttower.cli.invocation import Invocation, pass_run
from agenttower.cli.options import delivery_options, json_option, text_file_option
from agenttower.cli.output import Row
from agenttower.cli.sending import Letter, accept, exit_code, follow, show_change, text_of


@click.command("send", short_help="Send a prompt to an agent, and see it delivered.")
@click.argument("target")
@click.argument("text", required=False)
@text_file_option
@delivery_options
@click.option("--envelope", is_flag=True, help="Put the headers of agents' prompts before it.")
@click.option(
    "--idempotency-key",
    metavar="KEY",
    help="Sent again with the same KEY, it is not sent twice. On the host only.",
)
@json_option
@pass_run
def command(
    run: Invocation,
    target: str,
    text: str | None,
    file: str | None,
    wait: bool,
    timeout: float,
    envelope: bool,
    idempotency_key: str | None,
) -> ExitCode:
    """Send TEXT to the agent TARGET: pasted into its pane, entered once, and looked at.

    TARGET is an agent's id, how that begins, or its label. TEXT '-', or none in a pipe, is read
    from stdin. On the host you send as the operator. In a bench the agent of this tmux pane sends,
    which must be a master, and its prompt carries an envelope.

    'delivered submitted' means that the text was seen to leave the input line; 'unverified' that it
    was pasted and entered, and the pane did not show what became of it. Exit code 0: delivered, 3:
    blocked or refused, 4: failed or canceled, 7: still queued when --timeout ran out.

    \b
    Examples:
      agenttower send s1 'run the tests'
      git diff | agenttower send reviewer -
      agenttower send s1 --file task.md --no-wait --json
    """
    body = text_of(text, file)
    letter = Letter.of(run, body, envelope=envelope)
    if letter.pane is not None and (idempotency_key or envelope):
        raise click.UsageError("--idempotency-key and --envelope are for the host")
    show = show_change(run)
    row: Row = accept(run, letter, references.agent(run, target)["agent_id"], idempotency_key)
    show(row)
    if wait:
        row = follow(run, row, time.monotonic() + timeout, show)
    if run.output.json_mode:
        run.output.result(row)
    elif not wait and run.output.for_people:
        run.output.note(f"see 'agenttower queue show {row['message_id']}' for what becomes of it")
    code = exit_code([row])
    return ExitCode.OK if code is ExitCode.TIMED_OUT and not wait else code
