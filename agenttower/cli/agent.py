"""``agenttower agent``."""

from __future__ import annotations

import click

from agenttower.cli import agent_logs
from agenttower.cli.invocation import Invocation, given, pass_run
from agenttower.cli.options import container_option, json_option
from agenttower.cli.output import CONTAINER, Column, Row, key
from agenttower.cli.text import short_id

ROLES = ("master", "slave", "swarm", "test-runner", "shell", "unknown")


def _pane(row: Row) -> str:
    window = row["tmux_window_index"]
    return f"{row['tmux_session_name']}:{window}.{row['tmux_pane_index']}"


COLUMNS = (
    key("AGENT_ID", "agent_id"),
    key("LABEL", "label"),
    key("ROLE", "role"),
    key("CAPABILITY", "capability"),
    Column("CONTAINER", lambda row: short_id(row["container_id"]), CONTAINER.people),
    Column("PANE", _pane),
    key("PROJECT", "project_path"),
    key("PARENT", "parent_agent_id"),
    key("ACTIVE", "active"),
    key("ORIGIN", "origin"),
)


@click.group("agent", short_help="Registered agents.")
def command() -> None:
    """Registered agents, managed and adopted.

    \b
    Example:
      agenttower agent list
    """


for _log_command in (agent_logs.attach, agent_logs.detach, agent_logs.status):
    command.add_command(_log_command)


@command.command("list")
@click.option("--role", multiple=True, type=click.Choice(ROLES), help="Only this role; repeatable.")
@container_option
@click.option("--active-only", is_flag=True, help="Only agents whose pane is alive.")
@json_option
@pass_run
def list_agents(
    run: Invocation, role: tuple[str, ...], container: str | None, active_only: bool
) -> None:
    """List the agents.

    \b
    Examples:
      agenttower agent list --active-only
      agenttower agent list --container bench-1 --role master
    """
    container_id = None if container is None else run.container_id(container)
    params = given(role=role, container_id=container_id, active_only=active_only)
    answer = run.call("list_agents", params)
    if run.output.json_mode:
        run.output.result(answer)
        return
    run.output.rows(COLUMNS, answer["agents"], empty="No agents.")
