"""``agenttower pane``."""

from __future__ import annotations

import click

from agenttower.cli import references
from agenttower.cli.exit_codes import ExitCode
from agenttower.cli.invocation import Invocation, given, pass_run
from agenttower.cli.options import (
    container_option,
    json_option,
    limit_option,
    state_option,
    yes_option,
)
from agenttower.cli.output import CONTAINER, Column, key
from agenttower.cli.pane_table import ATTENTION
from agenttower.cli.text import age

COLUMNS = (
    key("PANE_ID", "pane_id"),
    key("LAYOUT_ID", "layout_id"),
    CONTAINER,
    key("ROLE", "role"),
    key("LABEL", "label"),
    key("STATE", "state"),
    key("FAILED_STAGE", "failed_stage"),
    key("AGENT_ID", "agent_id"),
    key("TMUX_PANE", "tmux_pane_id"),
    key("LOG_ATTACHED", "log_attached"),
    ATTENTION,
)


FOUND_COLUMNS = (
    key("ACTIVE", "active"),
    key("FOCUSED", "pane_active"),
    CONTAINER,
    key("SOCKET", "tmux_socket_path"),
    key("SESSION", "tmux_session_name"),
    key("W", "tmux_window_index"),
    key("P", "tmux_pane_index"),
    key("PANE_ID", "tmux_pane_id"),
    key("PID", "pane_pid"),
    key("TTY", "pane_tty"),
    key("COMMAND", "pane_current_command"),
    key("CWD", "pane_current_path"),
    Column(
        "LAST_SCANNED",
        lambda row: row["last_scanned_at"],
        lambda row: f"{age(row['last_scanned_at'])} ago",
    ),
    key("AGENT_ID", "agent_id"),
    key("ORIGIN", "origin"),
)


@click.group("pane", short_help="Look at, remove and recreate managed panes; see all others.")
def command() -> None:
    """Panes that AgentTower made, and with 'all' every pane there is.

    A PANE is named by its id, by the first 4 or more characters of it, or by its label.

    \b
    Examples:
      agenttower pane list
      agenttower pane show s1
    """


@command.command("list")
@click.option(
    "--layout", metavar="LAYOUT", help="Only this layout's panes: its id or how that begins."
)
@container_option
@state_option
@limit_option
@json_option
@pass_run
def list_panes(
    run: Invocation,
    layout: str | None,
    container: str | None,
    state: tuple[str, ...],
    limit: int | None,
) -> None:
    """List managed panes.

    \b
    Examples:
      agenttower pane list
      agenttower pane list --state failed --state degraded
    """
    container_id = None if container is None else run.container_id(container)
    layout_id = None if layout is None else references.layout_id(run, layout)
    params = given(container_id=container_id, layout_id=layout_id, state=state)
    items, following = run.pages("managed.pane.list", params, limit)
    if run.output.json_mode:
        run.output.result({"items": items, "next": following})
        return
    run.name_containers(items)
    run.output.rows(COLUMNS, items, empty="No panes.")


@command.command("all")
@click.option("--active-only", is_flag=True, help="Only panes that the last scan saw alive.")
@container_option
@json_option
@pass_run
def all_panes(run: Invocation, active_only: bool, container: str | None) -> None:
    """List every tmux pane of the benches, whoever made it, as the last scan saw them.

    'agenttower scan --panes' looks anew.

    \b
    Examples:
      agenttower pane all --active-only
      agenttower pane all --container bench-1 --json
    """
    params = given(active_only=active_only, container=container)
    answer = run.call("list_panes", params)
    if run.output.json_mode:
        run.output.result(answer)
        return
    empty = "No panes are known. Run 'agenttower scan --panes'."
    run.output.rows(FOUND_COLUMNS, answer["panes"], empty=empty)


@command.command("show")
@click.argument("pane")
@click.option("--chain", is_flag=True, help="Also the panes that this one replaced.")
@json_option
@pass_run
def show_pane(run: Invocation, pane: str, chain: bool) -> None:
    """Show one PANE: state, agent, and what every stage did.

    \b
    Examples:
      agenttower pane show s1
      agenttower pane show 0f0d2f0c-7c5d-4d0e-9f7a-2f3b8f3c1a55 --chain --json
    """
    params = {"pane_id": references.pane_id(run, pane), "include_predecessor_chain": chain}
    answer = run.call("managed.pane.detail", params)
    if run.output.json_mode:
        run.output.result(answer)
        return
    run.output.fields(answer)


@command.command("remove")
@click.argument("panes", metavar="PANE...", nargs=-1, required=True)
@yes_option
@json_option
@pass_run
def remove_panes(run: Invocation, panes: tuple[str, ...], yes: bool) -> ExitCode:
    """Remove each PANE, with all that runs in it. Its log and its events are kept.

    One is removed at once; several are shown first and you are asked. Removing what is removed
    already is no error. Exit code 3: something is left, and why; 8: you said no.

    \b
    Examples:
      agenttower pane remove s1
      agenttower pane remove 0f0d2f0c 77ab --yes --json
    """
    from agenttower.cli.removal import PANE, remove
    from agenttower.cli.removal_plan import pane_removal_agreed

    ids = references.pane_ids(run, panes)
    if not yes and not pane_removal_agreed(run, ids):
        run.output.note("nothing was removed")
        return ExitCode.DECLINED
    return remove(run, PANE, ids)


@command.command("recreate", short_help="Make a successor of a failed or removed PANE.")
@click.argument("pane")
@click.option("--launch", metavar="PROFILE", help="Start this launch profile, not that of PANE.")
@click.option(
    "--idempotency-key",
    metavar="KEY",
    help="Repeating the command with the same KEY gives the same successor.",
)
@click.option("--detach", is_flag=True, help="Return as soon as the request is accepted.")
@json_option
@pass_run
def recreate_pane(
    run: Invocation, pane: str, launch: str | None, idempotency_key: str | None, detach: bool
) -> ExitCode:
    """Make a successor of a failed or removed PANE, in the same slot, and follow it until it is up.

    Ctrl-C stops following; creation goes on. In a pipe come a 'successor' line, a line for every
    change as of 'layout create', a 'result' line, a 'successor' line and an 'attach' line. Exit
    code 0: ready, 5: degraded, 4: failed.

    \b
    Examples:
      agenttower pane recreate s1
      agenttower pane recreate 0f0d2f0c --launch codex --idempotency-key again-1 --json
    """
    from agenttower.cli.recreation import recreate

    params = given(
        predecessor_pane_id=references.pane_id(run, pane, prefer=references.RECREATABLE),
        launch_command_override=launch,
        idempotency_key=idempotency_key,
    )
    return recreate(run, params, detach)
