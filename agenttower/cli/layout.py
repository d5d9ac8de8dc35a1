"""``agenttower layout``."""

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
from agenttower.cli.pane_table import ATTENTION, PANE_COLUMNS, show_panes
from agenttower.cli.text import age

COLUMNS = (
    key("LAYOUT_ID", "layout_id"),
    CONTAINER,
    key("TEMPLATE", "template_name"),
    key("SESSION", "tmux_session_name"),
    key("STATE", "state"),
    key("READY", "ready_pane_count"),
    key("PANES", "intended_pane_count"),
    Column("CREATED", lambda row: row["created_at"], lambda row: f"{age(row['created_at'])} ago"),
    ATTENTION,
)


@click.group("layout", short_help="Create, look at and remove layouts.")
def command() -> None:
    """Layouts: groups of panes with agents, made from a template.

    A LAYOUT is named by its id, or by the first 4 or more characters of it.

    \b
    Examples:
      agenttower layout create bench-1 1m+2s --session work
      agenttower layout list
    """


@command.command("list")
@container_option
@state_option
@limit_option
@json_option
@pass_run
def list_layouts(
    run: Invocation, container: str | None, state: tuple[str, ...], limit: int | None
) -> None:
    """List layouts, those that need attention first.

    \b
    Examples:
      agenttower layout list
      agenttower layout list --container bench-1 --state failed --json
    """
    container_id = None if container is None else run.container_id(container)
    params = given(container_id=container_id, state=state)
    items, following = run.pages("managed.layout.list", params, limit)
    if run.output.json_mode:
        run.output.result({"items": items, "next": following})
        return
    run.name_containers(items)
    run.output.rows(COLUMNS, items, empty="No layouts. Create one with 'agenttower layout create'.")


@command.command("show")
@click.argument("layout")
@click.option("--all", "everything", is_flag=True, help="Also removed and replaced panes.")
@json_option
@pass_run
def show_layout(run: Invocation, layout: str, everything: bool) -> None:
    """Show one LAYOUT and its panes.

    In a pipe: key=value lines, an empty line, then the panes as tab-separated lines.

    \b
    Examples:
      agenttower layout show 6b0c4c1e
      agenttower layout show 6b0c4c1e-52c5-4f7e-8c64-1f1b8a3d9f10 --all --json
    """
    layout_id = references.layout_id(run, layout)
    answer = run.call(
        "managed.layout.detail", {"layout_id": layout_id, "include_terminal_panes": everything}
    )
    if run.output.json_mode:
        run.output.result(answer)
        return
    run.output.fields({name: value for name, value in answer.items() if name != "panes"})
    run.output.line()
    show_panes(run.output, PANE_COLUMNS, answer["panes"])


def _launches(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> dict[str, str] | None:
    overrides: dict[str, str] = {}
    for value in values:
        pane, _equals, profile = value.partition("=")
        if ":" not in pane or not profile:
            raise click.BadParameter(f"{value!r} is not of the form ROLE:LABEL=PROFILE")
        if pane in overrides:
            raise click.BadParameter(f"{pane!r} is given twice")
        overrides[pane] = profile
    return overrides or None


@command.command("create")
@click.argument("container")
@click.argument("template")
@click.option("--session", required=True, metavar="NAME", help="Name of the new tmux session.")
@click.option(
    "--launch",
    multiple=True,
    metavar="ROLE:LABEL=PROFILE",
    callback=_launches,
    help="Start this launch profile in that pane; may be repeated.",
)
@click.option("--label-prefix", metavar="TEXT", help="Put TEXT before every label.")
@click.option(
    "--idempotency-key",
    metavar="KEY",
    help="Repeating the command with the same KEY gives the same layout, never a second one.",
)
@click.option("--detach", is_flag=True, help="Return as soon as the request is accepted.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Follow at most that long; creation goes on.",
)
@json_option
@pass_run
def create_layout(
    run: Invocation,
    container: str,
    template: str,
    session: str,
    launch: dict[str, str] | None,
    label_prefix: str | None,
    idempotency_key: str | None,
    detach: bool,
    timeout: float | None,
) -> ExitCode:
    """Create a layout from TEMPLATE in CONTAINER (name or id), and follow it until it is done.

    Ctrl-C stops following; creation goes on. In a pipe every change is one line, 'pane LABEL STAGE
    STATUS MILLISECONDS', then come a 'result' line for each pane, a 'layout' line and an 'attach'
    line. Exit code 0: ready, 5: degraded, 4: failed.

    \b
    Examples:
      agenttower layout create bench-1 1m+2s --session work
      agenttower layout create bench-1 2m+2s --session w2 --label-prefix b- --detach
      agenttower layout create bench-1 1m+2s --session w3 --launch slave:s1=codex --json
    """
    from agenttower.cli.creation import create

    params = given(
        container_id=container,
        template_name=template,
        tmux_session_name=session,
        launch_command_overrides=launch,
        label_prefix=label_prefix,
        idempotency_key=idempotency_key,
    )
    return create(run, params, detach, timeout)


@command.command("remove")
@click.argument("layouts", metavar="LAYOUT...", nargs=-1, required=True)
@yes_option
@json_option
@pass_run
def remove_layouts(run: Invocation, layouts: tuple[str, ...], yes: bool) -> ExitCode:
    """Remove every pane of each LAYOUT, with all that runs in it. Logs and events are kept.

    Where more than one pane is destroyed, they are shown first and you are asked. Removing what is
    removed already is no error. Exit code 3: something is left, and why; 8: you said no.

    \b
    Examples:
      agenttower layout remove 6b0c4c1e
      agenttower layout remove 6b0c4c1e a91f --yes
    """
    from agenttower.cli.removal import LAYOUT, remove
    from agenttower.cli.removal_plan import layout_removal_agreed

    ids = references.layout_ids(run, layouts)
    if not yes and not layout_removal_agreed(run, ids):
        run.output.note("nothing was removed")
        return ExitCode.DECLINED
    return remove(run, LAYOUT, ids)
