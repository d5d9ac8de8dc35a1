"""``agenttower broadcast``."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

import click

from agenttower.cli import references
from agenttower.cli.exit_codes import ExitCode
from agenttower.cli.invocation import Invocation, given, pass_run
from agenttower.cli.options import (
    container_option,
    delivery_options,
    json_option,
    text_file_option,
    yes_option,
)
from agenttower.cli.output import CONTAINER, Column, Output, key
from agenttower.cli.sending import (
    Letter,
    accept,
    detail_of,
    exit_code,
    follow,
    reason_of,
    shown_state,
    text_of,
)
from agenttower.cli.text import short_id

RECEIVERS = ("slave", "swarm")

PLAN = (
    key("AGENT_ID", "agent_id"),
    key("LABEL", "label"),
    key("ROLE", "role"),
    key("CAPABILITY", "capability"),
    Column("CONTAINER", lambda row: short_id(row["container_id"]), CONTAINER.people),
)
RESULTS = (
    Column("TARGET", lambda row: row["target"]["agent_id"]),
    Column("LABEL", lambda row: row["target"]["label"]),
    Column("STATE", shown_state),
    Column("REASON", reason_of),
    Column("DETAIL", detail_of),
    key("MESSAGE_ID", "message_id"),
)


@click.command("broadcast", short_help="Send a prompt to several agents.")
@click.argument("text", required=False)
@click.option("--layout", metavar="LAYOUT", help="The agents of this layout.")
@click.option(
    "--role",
    type=click.Choice(RECEIVERS),
    help="Those of this role; without it, all who may receive.",
)
@click.option("--capability", metavar="WORD", help="Those of this capability, e.g. codex.")
@container_option
@text_file_option
@delivery_options
@yes_option
@json_option
@pass_run
def command(
    run: Invocation,
    text: str | None,
    layout: str | None,
    role: str | None,
    capability: str | None,
    container: str | None,
    file: str | None,
    wait: bool,
    timeout: float,
    yes: bool,
) -> ExitCode:
    """Send TEXT to every active slave and swarm agent that the options name.

    Several are shown first and you are asked. Each gets a prompt of its own, as with 'agenttower
    send'. Exit code: the worst of all, 8: you said no.

    \b
    Examples:
      agenttower broadcast --layout 5f0c 'commit what you have'
      agenttower broadcast --capability codex --yes --json 'stop'
    """
    if not (layout or role or capability or container):
        raise click.UsageError(
            "say to whom: --layout, --role, --capability or --container, or several of them"
        )
    body = text_of(text, file)
    letter = Letter.of(run, body, envelope=False)
    agents = _receivers(run, layout, role, capability, container)
    if not agents:
        raise click.UsageError("no active slave or swarm agent fits; see 'agenttower agent list'")
    if len(agents) > 1 and not yes and not _agreed(run, agents, reads_stdin=text in (None, "-")):
        run.output.note("nothing was sent")
        return ExitCode.DECLINED
    rows = [accept(run, letter, agent["agent_id"]) for agent in agents]
    if wait:
        until = time.monotonic() + timeout
        rows = [dict(follow(run, row, until, lambda _: None)) for row in rows]
    if run.output.json_mode:
        run.output.result({"rows": rows})
    else:
        run.output.rows(RESULTS, rows)
    code = exit_code(rows)
    return ExitCode.OK if code is ExitCode.TIMED_OUT and not wait else code


def _receivers(
    run: Invocation,
    layout: str | None,
    role: str | None,
    capability: str | None,
    container: str | None,
) -> list[dict[str, Any]]:
    container_id = None if container is None else run.container_id(container)
    params = given(container_id=container_id, role=RECEIVERS if role is None else (role,))
    agents = run.call("list_agents", {**params, "active_only": True})["agents"]
    if capability is not None:
        agents = [agent for agent in agents if agent["capability"] == capability]
    if layout is not None:
        layout_id = references.layout_id(run, layout)
        panes = run.call("managed.layout.detail", {"layout_id": layout_id})["panes"]
        inside = {pane["agent_id"] for pane in panes}
        agents = [agent for agent in agents if agent["agent_id"] in inside]
    return list(agents)


def _agreed(run: Invocation, agents: Sequence[dict[str, Any]], *, reads_stdin: bool) -> bool:
    if reads_stdin or run.output.json_mode or not sys.stdin.isatty():
        raise click.UsageError(
            f"this sends to {len(agents)} agents, and there is nobody to ask whether that is "
            "meant; say --yes if it is"
        )
    Output(colour=run.output.colour, stdout=run.output.stderr).rows(PLAN, agents)
    return click.confirm(f"Send this to {len(agents)} agents?", err=True)
