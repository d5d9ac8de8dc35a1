"""``agenttower up``."""

from __future__ import annotations

import os
import signal
import sys

import click

from agenttower.cli.exit_codes import ExitCode
from agenttower.cli.invocation import Invocation, pass_run
from agenttower.cli.text import safe

COLOURS = {"serve": "cyan", "worker": "magenta"}


@click.command("up", short_help="Run front end and worker in the foreground.")
@pass_run
def command(run: Invocation) -> int:
    """Run front end and worker in the foreground, each line of their logs with its name.

    Ctrl-C stops both, the worker first; a second Ctrl-C kills them, which loses nothing. Where one
    of them ends by itself, the other is stopped too and the exit code is that of the first: 128 + n
    where signal n killed it, and 1 where it ended with 0, since nobody asked it to. After Ctrl-C or
    SIGTERM the exit code is 0 if both ended with 0.

    \b
    Example:
      agenttower up
    """
    from agenttower.cli.supervise import Program, supervise

    programs = [
        Program(name, [sys.executable, "-m", "agenttower.cli.main", name]) for name in COLOURS
    ]
    width = max(map(len, COLOURS))
    closed = False

    def write(name: str, line: str) -> None:
        nonlocal closed
        if closed:
            return
        prefix = run.output.paint(f"{name.ljust(width)} |", fg=COLOURS[name])
        try:
            run.output.line(f"{prefix} {safe(line.rstrip())}")
        except BrokenPipeError:
            # Nobody reads any more, but the two still have to be stopped in order.
            closed = True
            os.kill(os.getpid(), signal.SIGTERM)

    code = supervise(programs, write, {**os.environ, "PYTHONUNBUFFERED": "1"})
    return ExitCode.OUTPUT_CLOSED if closed else code
