"""``agenttower demo``."""

from __future__ import annotations

import click


@click.command("demo", short_help="Create a layout in a throw-away bench, and show it.")
@click.option("--keep", is_flag=True, help="Stay in the foreground, to attach to, until Ctrl-C.")
def command(keep: bool) -> int:
    """Create a 1m+2s layout in a throw-away bench, show it, and leave nothing behind.

    With --keep all of it runs until Ctrl-C, and is removed only then.

    \b
    Examples:
      agenttower demo
      agenttower demo --keep
    """
    from agenttower.demo.run import run_demo

    return run_demo(keep=keep)
