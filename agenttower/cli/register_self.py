"""``agenttower register-self``: in a bench, the agent of this very pane registers itself."""

from __future__ import annotations

from typing import Any

import click

from agenttower.cli.invocation import Invocation, pass_run
from agenttower.cli.options import json_option
from agenttower.cli.registering import registration_options


@click.command("register-self", short_help="Register the agent in this pane; for use in a bench.")
@registration_options
@json_option
@pass_run
def command(run: Invocation, /, **typed: Any) -> None:
    """Register the agent that runs in this tmux pane, or refresh what is known of it.

    For use inside a bench, with the daemon's socket mounted. Only what you type is changed. A bench
    without this program can run 'python3 -m agenttower.client register-self' instead, which needs
    nothing but Python 3.9. Exit code 1: this is no container.

    \b
    Examples:
      agenttower register-self --role slave --capability codex --label reviewer
      agenttower register-self --role swarm --parent agt_0123456789ab
    """
    from agenttower.client.registering import given_of, register_self

    answer = register_self(run.call, given_of(typed))
    if run.output.json_mode:
        run.output.result(answer)
        return
    run.output.fields(answer)
