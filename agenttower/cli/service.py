"""``agenttower service``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

import click

from agenttower.cli.exit_codes import ExitCode
from agenttower.cli.invocation import Invocation, pass_run
from agenttower.cli.options import json_option
from agenttower.cli.output import key
from agenttower.cli.text import safe

if TYPE_CHECKING:
    from agenttower.service.installer import Installer
    from agenttower.service.setup import Setup

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

COLUMNS = (
    key("UNIT", "unit"),
    key("FILE", "file"),
    key("ENABLED", "enabled"),
    key("ACTIVE", "active"),
    key("PID", "main_pid"),
    key("RESTARTS", "restarts"),
    key("RESULT", "result"),
)


def _where(function: Decorated) -> Decorated:
    """``--system`` and ``--user``: whose systemd."""
    function = click.option(
        "--user", metavar="NAME", help="With --system: as whom it runs; by default who called sudo."
    )(function)
    return click.option("--system", is_flag=True, help="Machine-wide, not for your own user.")(
        function
    )


@click.group("service", short_help="Run front end and worker under systemd.")
def command() -> None:
    """Front end and worker as systemd units, yours or machine-wide.

    Without systemd there are 'agenttower up' and the Procfile.

    \b
    Examples:
      agenttower service install --now
      agenttower service status
    """


@command.command("install")
@_where
@click.option("--now", is_flag=True, help="Start them too, or start them anew if they run.")
@click.option("--dry-run", is_flag=True, help="Show the unit files and change nothing.")
@json_option
@pass_run
def install(run: Invocation, system: bool, user: str | None, now: bool, dry_run: bool) -> None:
    """Write the unit files, and let systemd start them at login (--system: at boot).

    The units remember this environment's XDG directories, DOCKER_HOST and AGENTTOWER_ settings.
    Run it again after an upgrade, or when one of these has changed.

    \b
    Examples:
      agenttower service install --now
      agenttower service install --dry-run
      agenttower service install --system --user agents
    """
    from agenttower.service.plan import TMUX, units

    setup, installer = _prepare(system, user)
    wanted = units(setup.plan)
    if dry_run:
        _show(run, installer, wanted)
        return
    # tmux puts its socket there, maybe before there ever was a front end.
    state_dir = setup.paths.state_dir if TMUX in wanted and not system else None
    written = installer.install(wanted, start=now, state_dir=state_dir)
    if run.output.json_mode:
        run.output.result({"units": list(wanted), "written": written, "started": now})
        return
    for unit in wanted:
        word = "wrote" if unit in written else "unchanged"
        run.output.line(safe(f"{word} {installer.path(unit)}"))
    _advise(run, setup, started=now)


def _show(run: Invocation, installer: Installer, wanted: dict[str, str]) -> None:
    if run.output.json_mode:
        run.output.result({str(installer.path(unit)): text for unit, text in wanted.items()})
        return
    for unit, text in wanted.items():
        run.output.line(safe(f"# {installer.path(unit)}"))
        for line in text.splitlines():
            run.output.line(safe(line))
        run.output.line()


def _advise(run: Invocation, setup: Setup, *, started: bool) -> None:
    systemctl = "systemctl" if setup.plan.system else "systemctl --user"
    if not started:
        run.output.note(f"start them: {systemctl} start agenttower-serve agenttower-worker")
    if setup.plan.system:
        run.output.note(f"for {setup.plan.user}: export AGENTTOWER_SOCKET={setup.paths.socket}")
    else:
        run.output.note("to run without a login: loginctl enable-linger")


@command.command("uninstall")
@_where
@click.option("--dry-run", is_flag=True, help="Say what would go and change nothing.")
@json_option
@pass_run
def uninstall(run: Invocation, system: bool, user: str | None, dry_run: bool) -> None:
    """Stop front end and worker, and take the unit files away. State and panes stay.

    \b
    Examples:
      agenttower service uninstall
      agenttower service uninstall --system --dry-run
    """
    from agenttower.service.plan import TMUX, UNITS

    setup, installer = _prepare(system, user)
    if dry_run:
        removed = [unit for unit in UNITS if installer.file_state(unit, {}) == "differs"]
    else:
        removed = installer.uninstall()
    if run.output.json_mode:
        run.output.result({"removed": removed, "dry_run": dry_run})
        return
    for unit in removed:
        word = "would remove" if dry_run else "removed"
        run.output.line(safe(f"{word} {installer.path(unit)}"))
    if not removed:
        run.output.note("nothing of ours is installed there")
    if TMUX in removed:
        socket = setup.paths.local_tmux_socket
        run.output.note(
            f"panes of the local bench go on; to end them: tmux -S {safe(str(socket))} kill-server"
        )


@command.command("status")
@_where
@json_option
@pass_run
def status(run: Invocation, system: bool, user: str | None) -> ExitCode:
    """How the units are: the file (current, differs, foreign, missing), and what systemd says.

    Exit code 5 where a unit is not active, or its file is not what an install would write now.

    \b
    Examples:
      agenttower service status
      agenttower service status --system --json
    """
    from agenttower.service.plan import units

    setup, installer = _prepare(system, user)
    reports = installer.report(units(setup.plan))
    rows = [
        {"unit": report.unit, "path": str(report.path), "file": report.file, **asdict(report.state)}
        for report in reports
    ]
    if run.output.json_mode:
        run.output.result({"units": rows})
    else:
        run.output.rows(COLUMNS, rows)
    well = all(report.file == "current" and report.state.active == "active" for report in reports)
    return ExitCode.OK if well else ExitCode.DEGRADED


def _prepare(system: bool, user: str | None) -> tuple[Setup, Installer]:
    from agenttower.service.installer import Installer
    from agenttower.service.setup import system_setup, user_setup
    from agenttower.service.systemctl import Systemctl

    if user is not None and not system:
        raise click.UsageError("--user goes with --system; without it the units are your own.")
    setup = system_setup(user) if system else user_setup()
    return setup, Installer(setup.directory, Systemctl(system=system))
