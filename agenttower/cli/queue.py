"""``agenttower queue``."""

from __future__ import annotations

import click

from agenttower.cli import references
from agenttower.cli.invocation import Invocation, given, pass_run
from agenttower.cli.options import json_option
from agenttower.cli.output import Column, Row, key
from agenttower.cli.sending import reason_of, shown_state
from agenttower.cli.speaking import caller_pane
from agenttower.cli.text import age

STATES = ("queued", "blocked", "delivered", "failed", "canceled")
OPERATOR = "host-operator"


def _who(side: str) -> Column:
    return Column(
        "FROM" if side == "sender" else "TO",
        lambda row: row[side]["agent_id"],
        lambda row: row[side]["label"] or row[side]["agent_id"],
    )


COLUMNS = (
    key("MESSAGE_ID", "message_id"),
    Column("STATE", shown_state),
    Column("REASON", reason_of),
    _who("sender"),
    _who("target"),
    Column(
        "ENQUEUED", lambda row: row["enqueued_at"], lambda row: f"{age(row['enqueued_at'])} ago"
    ),
    key("ORIGIN", "origin"),
    key("BYTES", "envelope_size_bytes"),
    Column("EXCERPT", lambda row: row["excerpt"], lambda row: row["excerpt"][:60]),
)


@click.group("queue", short_help="Look at and decide on prompts.")
def command() -> None:
    """Prompts that wait for delivery, and what became of the others.

    A blocked prompt waits until it is approved or canceled.

    \b
    Examples:
      agenttower queue list --state blocked
      agenttower queue approve 5b0c2f8e-6d6a-4a37-9a53-0c6b1c0a8d11
    """


@command.command("list")
@click.option("--state", type=click.Choice(STATES), help="Only this state.")
@click.option("--target", metavar="AGENT", help="Only for this agent: id or label.")
@click.option("--sender", metavar="AGENT", help=f"Only from this agent, or {OPERATOR}.")
@click.option("--since", metavar="TIME", help="Accepted then or later: 2026-05-06T18:01:34Z.")
@click.option("--origin", type=click.Choice(("direct", "route")), help="Sent, or made by a route.")
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=100,
    show_default=True,
    help="The oldest N only.",
)
@json_option
@pass_run
def list_prompts(
    run: Invocation,
    state: str | None,
    target: str | None,
    sender: str | None,
    since: str | None,
    origin: str | None,
    limit: int,
) -> None:
    """List prompts, the oldest first.

    \b
    Examples:
      agenttower queue list --target s1
      agenttower queue list --state failed --since 2026-05-06T00:00:00Z --json
    """
    if target is not None:
        target = references.agent(run, target)["agent_id"]
    if sender not in (None, OPERATOR):
        sender = references.agent(run, str(sender))["agent_id"]
    params = given(
        state=state, target=target, sender=sender, since=since, origin=origin, limit=limit
    )
    answer = run.call("queue.list", params)
    if run.output.json_mode:
        run.output.result(answer)
        return
    run.output.rows(COLUMNS, answer["rows"], empty="No prompts.")


@command.command("show")
@click.argument("message_id")
@json_option
@pass_run
def show_prompt(run: Invocation, message_id: str) -> None:
    """Show one prompt: who to whom, its state, and why.

    \b
    Example:
      agenttower queue show 5b0c2f8e-6d6a-4a37-9a53-0c6b1c0a8d11
    """
    _show(run, run.call("queue.show", {"message_id": message_id}))


@command.command("approve")
@click.argument("message_id")
@json_option
@pass_run
def approve(run: Invocation, message_id: str) -> None:
    """Let a blocked prompt go. It is checked once more before it is delivered.

    Prompts that are blocked for a role cannot be approved, and those that the kill switch blocked
    only while it is on again.

    \b
    Example:
      agenttower queue approve 5b0c2f8e-6d6a-4a37-9a53-0c6b1c0a8d11
    """
    _decide(run, "queue.approve", message_id)


@command.command("delay")
@click.argument("message_id")
@json_option
@pass_run
def delay(run: Invocation, message_id: str) -> None:
    """Hold a queued prompt back until it is approved.

    \b
    Example:
      agenttower queue delay 5b0c2f8e-6d6a-4a37-9a53-0c6b1c0a8d11
    """
    _decide(run, "queue.delay", message_id)


@command.command("cancel")
@click.argument("message_id")
@json_option
@pass_run
def cancel(run: Invocation, message_id: str) -> None:
    """Give up a prompt that is queued or blocked.

    \b
    Example:
      agenttower queue cancel 5b0c2f8e-6d6a-4a37-9a53-0c6b1c0a8d11
    """
    _decide(run, "queue.cancel", message_id)


def _decide(run: Invocation, method: str, message_id: str) -> None:
    pane = given(caller_pane=caller_pane(run))
    _show(run, run.call(method, {"message_id": message_id, **pane}))


def _show(run: Invocation, row: Row) -> None:
    if run.output.json_mode:
        run.output.result(row)
        return
    run.output.fields(row)
