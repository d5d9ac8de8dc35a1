"""The ``agenttower`` command: global options, the table of commands, errors and exit codes.

Nothing heavy is imported before a command asks for it, so that ``--version`` and the lists answer
at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from agenttower import __version__
from agenttower.cli.errors import report
from agenttower.cli.exit_codes import ExitCode, table
from agenttower.cli.invocation import Invocation
from agenttower.cli.lazy import LazyGroup

PROGRAM = "agenttower"

COMMANDS = {
    name: f"agenttower.cli.{name}:command"
    for name in (
        "up",
        "serve",
        "worker",
        "service",
        "status",
        "scan",
        "container",
        "layout",
        "pane",
        "agent",
        "logs",
        "send",
        "broadcast",
        "queue",
        "routing",
        "template",
        "profile",
        "events",
        "route",
        "protocol",
        "db",
        "demo",
    )
} | {"register-self": "agenttower.cli.register_self:command"}


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        click.echo(f"{PROGRAM} {__version__}")
        ctx.exit()


@click.group(
    PROGRAM,
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExit codes:\n" + table(),
)
@click.option(
    "--socket",
    metavar="PATH",
    help="The daemon's Unix socket.  [env: AGENTTOWER_SOCKET]",
)
@click.option(
    "--color/--no-color",
    "colour",
    default=None,
    help="Colours: always or never; by default on terminals only.  [env: NO_COLOR]",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Print the version and stop.",
)
@click.pass_obj
def root(run: Invocation, socket: str | None, colour: bool | None) -> None:
    """Layouts of coding agents in tmux panes inside bench containers.

    Lists and results are tables on a terminal, plain tab-separated or key=value lines in a pipe,
    and JSON with --json.

    \b
    Examples:
      agenttower up
      agenttower layout create bench-1 1m+2s --session work
      agenttower layout list --state ready
    """
    run.socket_option = socket
    run.output.colour = colour


def execute(arguments: Sequence[str]) -> int:
    """Run one command line (without the program's name) and return its exit code."""
    run = Invocation()
    # A wrong option must be reported as JSON too, although --json was not yet read then.
    run.output.json_mode = "--json" in arguments
    try:
        with root.make_context(PROGRAM, list(arguments), obj=run) as context:
            result = root.invoke(context)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (Exception, KeyboardInterrupt) as error:
        return report(run.output, error)
    return result if isinstance(result, int) else ExitCode.OK


def main() -> None:
    """Entry point: runs ``sys.argv`` and leaves the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    code = execute(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = ExitCode.OUTPUT_CLOSED
    if code == ExitCode.OUTPUT_CLOSED:
        # What is still buffered would make Python complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


if __name__ == "__main__":
    main()
