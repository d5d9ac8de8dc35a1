"""``agenttower db``."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from agenttower.cli.exit_codes import ExitCode
from agenttower.cli.invocation import Invocation, pass_run
from agenttower.cli.options import json_option
from agenttower.cli.text import safe
from agenttower.paths import default_paths

FILE = click.Path(path_type=Path)


@click.group("db", short_help="Check, back up and migrate the database.")
def command() -> None:
    """Upkeep of the database file itself; the daemon is not asked and may run or not.

    \b
    Examples:
      agenttower db check
      agenttower db backup
    """


@command.command("check")
@click.argument("file", required=False, type=FILE)
@json_option
@pass_run
def check(run: Invocation, file: Path | None) -> ExitCode:
    """Check the database, or a backup FILE. Changes nothing.

    SQLite's checks of the file, then what must hold between rows; of each thing that does not: what
    it is about, what was found, what to do. 'heals' marks what a crash leaves and the next worker
    puts right. Exit code 3 where anything else was found.

    \b
    Examples:
      agenttower db check
      agenttower db check backups/agenttower.sqlite3 --json
    """
    from agenttower.store import upkeep

    paths = default_paths()
    report = upkeep.check(file or paths.database, None if file else paths.events_file)
    code = ExitCode.OK if report.sound else ExitCode.REFUSED
    if run.output.json_mode:
        findings = [asdict(finding) for finding in report.findings]
        run.output.result(
            {**asdict(report), "path": str(report.path), "sound": report.sound}
            | {"findings": findings}
        )
        return code
    for finding in report.findings:
        kind = f"{finding.check}, heals" if finding.heals else finding.check
        run.output.line(safe(f"{finding.subject}: {finding.found} [{kind}]"))
        run.output.line(safe(f"  to do: {finding.advice}"))
    word = "sound" if report.sound else "NOT sound"
    run.output.line(
        safe(
            f"{report.path}: {word}; {len(report.checks)} checks, schema {report.schema or '-'}, "
            f"{report.size_bytes} bytes"
        )
    )
    return code


@command.command("backup")
@click.argument("target", required=False, type=FILE)
@json_option
@pass_run
def backup(run: Invocation, target: Path | None) -> None:
    """Copy the database to TARGET (a new file, or a directory), and verify the copy.

    Consistent at any time, also while front end and worker run. Without TARGET it goes into the
    folder 'backups' of the state directory. An existing file is never overwritten.

    \b
    Examples:
      agenttower db backup
      agenttower db backup /mnt/backups/
    """
    from agenttower.private import private_directory
    from agenttower.store.backup import backup as copy_database

    paths = default_paths()
    if target is None:
        private_directory(paths.state_dir)
        private_directory(paths.backups_dir)
        target = paths.backups_dir / _name()
    elif target.is_dir():
        target = target / _name()
    copy = copy_database(paths.database, target.absolute())
    shown = {**asdict(copy), "path": str(copy.path)}
    if run.output.json_mode:
        run.output.result(shown)
    else:
        run.output.fields(shown)


@command.command("migrate")
@json_option
@pass_run
def migrate(run: Invocation) -> None:
    """Bring the database up to this program's schema, after a backup of what is there.

    Front end and worker do the same when they start. Here they must not run, unless there is
    nothing to be done.

    \b
    Example:
      agenttower db migrate
    """
    from agenttower.store.backup import upgrade

    done = upgrade(default_paths(), _name("before-migration"))
    shown = {
        **asdict(done),
        "path": str(done.path),
        "applied": list(done.applied),
        "backup": None if done.backup is None else str(done.backup),
    }
    if run.output.json_mode:
        run.output.result(shown)
        return
    run.output.fields(shown)
    if not done.applied:
        run.output.note("it was up to date; nothing was done")


def _name(suffix: str = "") -> str:
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    return f"agenttower-{moment}{'-' if suffix else ''}{suffix}.sqlite3"
