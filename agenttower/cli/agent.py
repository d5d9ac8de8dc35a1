"""``agenttower agent``."""

from __future__ import annotations

from typing import Any

import click

from agenttower.cli import references
from agenttower.cli.invocation import Invocation, given, pass_run
from agenttower.cli.options import container_option, json_option
from agenttower.cli.output import CONTAINER, Column, key
from agenttower.cli.pane_table import ATTENTION
from agenttower.cli.registering import pane_row, registration_options, short
from agenttower.cli.text import short_id

ROLES = ("master", "slave", "swarm", "test-runner", "shell", "unknown")
SETTABLE = tuple(role for role in ROLES if role != "swarm")

COLUMNS = (
    key("AGENT_ID", "agent_id"),
    key("LABEL", "label"),
    key("ROLE", "role"),
    key("CAPABILITY", "capability"),
    Column("CONTAINER", lambda row: short_id(row["container_id"]), CONTAINER.people),
    Column("PANE", short),
    key("PROJECT", "project_path"),
    key("PARENT", "parent_agent_id"),
    key("ACTIVE", "active"),
    key("ORIGIN", "origin"),
    ATTENTION,
)


CHANGES = (
    key("AGENT_ID", "agent_id"),
    key("FIELD", "field"),
    key("PRIOR", "prior_value"),
    key("NEW", "new_value"),
    key("AUDITED", "audit_appended"),
)


@click.group("agent", short_help="Register, look at and change agents.")
def command() -> None:
    """Registered agents: managed ones that AgentTower started, adopted ones that you started.

    An AGENT is named by its id, by the first 4 or more characters of it, or by its label.

    \b
    Examples:
      agenttower agent list
      agenttower agent register bench-1 %3 --role slave
    """


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


@command.command("show")
@click.argument("agent")
@json_option
@pass_run
def show_agent(run: Invocation, agent: str) -> None:
    """Show one AGENT: where it lives, what it is and what it may do.

    \b
    Examples:
      agenttower agent show reviewer
      agenttower agent show agt_0123 --json
    """
    answer = references.agent(run, agent)
    if run.output.json_mode:
        run.output.result(answer)
        return
    run.output.fields(answer)


@command.command("register")
@click.argument("container")
@click.argument("pane")
@click.option(
    "--tmux-socket", metavar="SOCKET", help="The pane's tmux server, by path or name of its socket."
)
@registration_options
@json_option
@pass_run
def register_agent(
    run: Invocation, /, container: str, pane: str, tmux_socket: str | None, **typed: Any
) -> None:
    """Register the agent in a PANE that you started yourself in CONTAINER.

    PANE is tmux's %id or session:window.pane. Where the daemon does not know it, it looks for it.
    For an agent that is registered, only what you type is changed; a lost one comes back to life.

    \b
    Examples:
      agenttower agent register bench-1 %3 --role slave --capability codex --label reviewer
      agenttower agent register bench-1 work:0.1 --tmux-socket other --role shell
    """
    from agenttower.client.registering import given_of, register

    if typed["parent"] is not None:
        typed["parent"] = references.agent(run, typed["parent"])["agent_id"]
    row = pane_row(run, container, pane, tmux_socket)
    answer = register(run.call, row, given_of(typed))
    if run.output.json_mode:
        run.output.result(answer)
        return
    run.output.fields(answer)


@command.command("set")
@click.argument("agent")
@click.option("--role", type=click.Choice(SETTABLE), help="What it may do.")
@click.option("--confirm", is_flag=True, help="Yes, make it a master, who may write into others.")
@click.option("--label", metavar="TEXT", help="A name for people, 64 characters.")
@click.option("--capability", metavar="WORD", help="What runs there, e.g. codex.")
@json_option
@pass_run
def set_agent(
    run: Invocation,
    agent: str,
    role: str | None,
    confirm: bool,
    label: str | None,
    capability: str | None,
) -> None:
    """Change role, label or capability of an AGENT.

    Each is changed on its own, the role last: where it is refused, the others have been changed.

    \b
    Examples:
      agenttower agent set reviewer --role master --confirm
      agenttower agent set agt_0123 --label tester --capability gemini
    """
    wanted: list[tuple[str, dict[str, object]]] = []
    if label is not None:
        wanted.append(("set_label", {"label": label}))
    if capability is not None:
        wanted.append(("set_capability", {"capability": capability}))
    if role is not None:
        wanted.append(("set_role", {"role": role, "confirm": confirm}))
    if not wanted:
        raise click.UsageError("nothing to set; give --role, --label or --capability")
    agent_id = references.agent(run, agent)["agent_id"]
    changes = [run.call(method, {"agent_id": agent_id, **params}) for method, params in wanted]
    if run.output.json_mode:
        run.output.result({"agent_id": agent_id, "changes": changes})
        return
    run.output.rows(CHANGES, changes)
