"""``agenttower template``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from agenttower.cli import definition_files
from agenttower.cli.exit_codes import ExitCode
from agenttower.cli.invocation import Invocation, pass_run
from agenttower.cli.options import json_option
from agenttower.cli.output import Column, key
from agenttower.paths import default_paths

NOUN = "template"

COLUMNS = (
    key("NAME", "name"),
    Column("PANES", lambda row: len(row["panes"])),
    Column("ROLES", lambda row: ",".join(pane["role"] for pane in row["panes"])),
    key("LAYOUT", "layout"),
    key("SOURCE", "source"),
)

PANE_COLUMNS = (
    key("ROLE", "role"),
    key("CAPABILITY", "capability"),
    key("LABEL_PATTERN", "label_pattern"),
    key("PROFILE", "default_launch_command_ref"),
)


@click.group(NOUN, short_help="What layouts are made from.")
def command() -> None:
    """Templates: which panes a layout has. Yours are read from the managed_templates folder.

    \b
    Examples:
      agenttower template list
      agenttower template show 1m+2s
    """


@command.command("list")
@json_option
@pass_run
def list_templates(run: Invocation) -> None:
    """List templates, built in and yours.

    \b
    Example:
      agenttower template list
    """
    catalog = definition_files.catalog()
    sources = catalog.template_sources()
    rows = [
        {**asdict(template), "source": sources.get(name) or "built in"}
        for name, template in catalog.templates().items()
    ]
    if run.output.json_mode:
        run.output.result({"templates": rows})
        return
    run.output.rows(COLUMNS, rows)
    definition_files.note_left_out(run.output, catalog, default_paths().templates_dir, NOUN)


@command.command("show")
@click.argument("name")
@json_option
@pass_run
def show_template(run: Invocation, name: str) -> None:
    """Show the template NAME.

    \b
    Example:
      agenttower template show 2m+2s
    """
    catalog = definition_files.catalog()
    template = asdict(catalog.template(name))
    template["source"] = catalog.template_sources().get(name) or "built in"
    if run.output.json_mode:
        run.output.result(template)
        return
    panes = template.pop("panes")
    run.output.fields(template)
    run.output.line()
    run.output.rows(PANE_COLUMNS, panes)


@command.command("validate")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@json_option
@pass_run
def validate_templates(run: Invocation, files: tuple[Path, ...]) -> ExitCode:
    """Check template FILES (or all in a folder); without FILES, your managed_templates folder.

    Every problem is one line, path:line:column: reason. Exit code 3 where there is one. With --json
    that, too, is a result, {"ok":true,"result":{"valid":false,"files":[…],"problems":[…]}}; "files"
    are those without a problem.

    \b
    Examples:
      agenttower template validate
      agenttower template validate team.yaml
    """
    from agenttower.services.catalog import read_template

    folder = default_paths().templates_dir
    return definition_files.validate(run.output, NOUN, files, folder, read_template)
