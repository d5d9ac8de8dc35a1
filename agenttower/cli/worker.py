"""``agenttower worker``."""

from __future__ import annotations

import importlib

import click

ENTRY_MODULE = "workers.main"


@click.command("worker", short_help="Run the worker in the foreground.")
def command() -> int:
    """Run the worker: it does everything that touches Docker and tmux.

    Only one can run: the exit code of a second one is 2. SIGTERM and Ctrl-C stop it cleanly; what
    it was doing goes on when it is started again.

    \b
    Example:
      agenttower worker
    """
    # By name, because this package must not depend on the one that depends on it.
    return importlib.import_module(ENTRY_MODULE).main() or 0
