"""``agenttower serve``."""

from __future__ import annotations

import click


@click.command("serve", short_help="Run the front end in the foreground.")
def command() -> int:
    """Run the front end: it answers requests on the socket until it is stopped.

    Only one can run: the exit code of a second one is 2. SIGTERM and Ctrl-C stop it cleanly. It
    builds nothing itself: run a worker beside it, or both with 'agenttower up'.

    \b
    Example:
      agenttower serve
    """
    from agenttower.bootstrap import serve

    return serve() or 0
