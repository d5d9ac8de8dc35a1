"""``agenttower events``: what happened to layouts and panes, and what agents' output said."""

from __future__ import annotations

import click

from agenttower.cli.exit_codes import ExitCode
from agenttower.cli.invocation import Invocation, pass_run
from agenttower.cli.lazy import LazyGroup
from agenttower.cli.options import container_option, json_stream_option

COMMANDS = {
    "rules": "agenttower.cli.event_rules:rules",
    "test-rule": "agenttower.cli.event_rules:test_rule",
}


@click.group(
    "events",
    cls=LazyGroup,
    lazy=COMMANDS,
    invoke_without_command=True,
    short_help="What happened, and what agents' output said.",
)
@click.option("--layout", metavar="LAYOUT", help="Only this layout: its id or how that begins.")
@click.option(
    "--pane", metavar="PANE", help="Only this pane: its id or how that begins, or its label."
)
@container_option
@click.option("--agents", is_flag=True, help="What the output of agents said, of all of them.")
@click.option("--agent", metavar="AGENT", help="The same of this agent: its id or its label.")
@click.option(
    "--type",
    "types",
    multiple=True,
    metavar="TYPE",
    help="Only events of agents of this type, e.g. error or waiting_for_input; may be repeated.",
)
@click.option(
    "--since", metavar="TIME", help="Only events of agents from then on: 2026-05-06T18:01:34Z."
)
@click.option("--until", metavar="TIME", help="Only events of agents before then.")
@click.option("--reverse", is_flag=True, help="The latest events of agents first.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Only the first N events of agents; 50 without it.",
)
@click.option("--cursor", metavar="CURSOR", help="Go on where an earlier list of agents' ended.")
@click.option("-f", "--follow", is_flag=True, help="Go on with new events until Ctrl-C.")
@json_stream_option
@pass_run
@click.pass_context
def command(
    context: click.Context,
    run: Invocation,
    layout: str | None,
    pane: str | None,
    container: str | None,
    agents: bool,
    agent: str | None,
    types: tuple[str, ...],
    since: str | None,
    until: str | None,
    reverse: bool,
    limit: int | None,
    cursor: str | None,
    follow: bool,
) -> ExitCode | None:
    """Show what happened to layouts and panes, or what the output of agents said; oldest first.

    With --json every event is one JSON object on a line of its own, without an envelope; where a
    list of agents' events was cut, {"next_cursor":…} is the last line.

    \b
    Examples:
      agenttower events --layout 6b0c4c1e-52c5-4f7e-8c64-1f1b8a3d9f10
      agenttower events --container bench-1 --follow --json
      agenttower events --agent s1 --type error --type test_failed --reverse
      agenttower events --agents --follow
    """
    if context.invoked_subcommand is not None:
        return None
    of_agents = agents or any((agent, types, since, until, reverse, limit, cursor))
    if not of_agents:
        from agenttower.cli import managed_events

        managed_events.show(run, layout, pane, container, follow)
        return None
    if layout or pane or container:
        raise click.UsageError(
            "--layout, --pane and --container narrow the events of layouts and panes; "
            "for those of agents use --agent"
        )
    if follow and (until or reverse or limit or cursor):
        raise click.UsageError("--follow cannot go with --until, --reverse, --limit or --cursor")
    from agenttower.cli import agent_events

    wanted = agent_events.Wanted(agent, types, since, until)
    if follow:
        return agent_events.follow(run, wanted)
    agent_events.show(run, wanted, reverse=reverse, limit=limit or 50, cursor=cursor)
    return None
