"""``agenttower config`` (legacy surfaces part 1, section 13)."""

from __future__ import annotations

import os

import click

from agenttower.cli.invocation import Invocation, pass_run
from agenttower.cli.options import json_option, json_report_option
from agenttower.cli.text import safe


@click.group("config", short_help="Where files are, and whether the daemon can be reached.")
def command() -> None:
    """Where files are, and whether the daemon can be reached.

    \b
    Examples:
      agenttower config paths
      agenttower config doctor
    """


@command.command("paths")
@json_option
@pass_run
def paths(run: Invocation) -> None:
    """Show where AgentTower keeps its files, and which socket commands talk to, and why that one.

    SOCKET_SOURCE is env_override, mounted_default, host_default, or option for --socket.

    \b
    Examples:
      agenttower config paths
      agenttower config paths --json
    """
    from agenttower.paths import default_paths

    found = default_paths()
    socket = run.socket_choice
    shown = {
        "CONFIG_FILE": found.config_file,
        "STATE_DB": found.database,
        "EVENTS_FILE": found.events_file,
        "LOGS_DIR": found.logs_dir,
        "SOCKET": socket.path,
        "CACHE_DIR": found.cache_dir,
    }
    named = {name: str(path) for name, path in shown.items()} | {"SOCKET_SOURCE": socket.source}
    if run.output.json_mode:
        run.output.result(named)
        return
    for name, value in named.items():
        run.output.line(f"{name}={safe(value)}")


@command.command("doctor")
@json_report_option
@pass_run
def doctor(run: Invocation) -> int:
    """Check how this process reaches the daemon: six checks, always in one order.

    socket_resolved, socket_reachable, daemon_status, container_identity, tmux_present,
    tmux_pane_match; 'agenttower doctor' checks these and much more. Nothing is changed.

    Exit code 0: the first three passed and nothing failed; 1: AGENTTOWER_SOCKET is wrong, or
    AgentTower has never run here; 2: nobody is at the socket; 3: somebody is, and it does not work;
    5: one of the last three failed.

    \b
    Examples:
      agenttower config doctor
      agenttower config doctor --json
    """
    from agenttower.client.doctor import row
    from agenttower.client.doctor.contract import contract_rows
    from agenttower.client.doctor.seen import Seen
    from agenttower.client.errors import NotInitialised
    from agenttower.paths import BENCH_SOCKET, default_paths

    database = default_paths().database
    if run.socket_choice.source == "host_default" and not os.path.lexists(database):
        raise NotInitialised(
            f"AgentTower has never run for this user: {database} is not there; start it with "
            f"'agenttower up', or in a bench mount the daemon's socket at {BENCH_SOCKET}"
        )
    rows = contract_rows(Seen(run.socket_choice))
    if run.output.json_mode:
        run.output.document(row.document(rows))
    else:
        for line in row.lines(rows):
            run.output.line("\t".join(map(safe, line.split("\t"))))
    return row.exit_code(rows)
