"""``agenttower profile``."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agenttower.cli import definition_files
from agenttower.cli.exit_codes import ExitCode
from agenttower.cli.invocation import Invocation, pass_run
from agenttower.cli.options import json_option
from agenttower.cli.output import Column, key
from agenttower.paths import default_paths

if TYPE_CHECKING:
    from agenttower.domain.templates import LaunchProfile

NOUN = "profile"

COLUMNS = (
    key("NAME", "name"),
    Column("COMMAND", lambda row: shlex.join(row["command"])),
    key("WORKING_DIR", "working_dir"),
    key("SOURCE", "source"),
)


def _row(profile: LaunchProfile, source: str | None) -> dict[str, Any]:
    """A profile as it is shown: values of variables that look like secrets stay out of sight."""
    from agenttower.domain.redaction import redact_env

    return {**asdict(profile), "env": redact_env(profile.env), "source": source}


@click.group(NOUN, short_help="What is started in panes.")
def command() -> None:
    """Launch profiles: what is started in a pane. They are read from the launch_commands folder.

    \b
    Examples:
      agenttower profile list
      agenttower profile show codex
    """


@command.command("list")
@json_option
@pass_run
def list_profiles(run: Invocation) -> None:
    """List launch profiles.

    \b
    Example:
      agenttower profile list
    """
    catalog = definition_files.catalog()
    sources = catalog.profile_sources()
    rows = [_row(profile, sources.get(name)) for name, profile in catalog.profiles().items()]
    if run.output.json_mode:
        run.output.result({"profiles": rows})
        return
    folder = default_paths().profiles_dir
    run.output.rows(COLUMNS, rows, empty="No launch profiles; panes start the container's shell.")
    definition_files.note_left_out(run.output, catalog, folder, NOUN)


@command.command("show")
@click.argument("name")
@json_option
@pass_run
def show_profile(run: Invocation, name: str) -> None:
    """Show the launch profile NAME. Values of variables that look like secrets are not shown.

    \b
    Example:
      agenttower profile show codex
    """
    catalog = definition_files.catalog()
    row = _row(catalog.profile(name), catalog.profile_sources().get(name))
    if run.output.json_mode:
        run.output.result(row)
    else:
        run.output.fields(row)


@command.command("validate")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@json_option
@pass_run
def validate_profiles(run: Invocation, files: tuple[Path, ...]) -> ExitCode:
    """Check launch profile FILES (or all in a folder); without FILES, your launch_commands folder.

    Every problem is one line, path:line:column: reason. Exit code 3 where there is one. With --json
    that, too, is a result, {"ok":true,"result":{"valid":false,"files":[…],"problems":[…]}}; "files"
    are those without a problem.

    \b
    Examples:
      agenttower profile validate
      agenttower profile validate codex.yaml
    """
    from agenttower.services.catalog import read_profile

    folder = default_paths().profiles_dir
    return definition_files.validate(run.output, NOUN, files, folder, read_profile)
