"""Options that both ways of registering an agent have, and how a pane on the host is named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any, TypeVar

import click

from agenttower.cli.errors import Ambiguous
from agenttower.cli.invocation import Invocation
from agenttower.cli.output import plain

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

ROLES = ("slave", "swarm", "test-runner", "shell", "unknown")
"""Those that a registration can give; a master is made by 'agent set'."""


def registration_options(function: Decorated) -> Decorated:
    """What may be said of an agent. What is left out stays as it is."""
    for option in reversed(
        (
            click.option("--role", type=click.Choice(ROLES), help="What it may do."),
            click.option("--capability", metavar="WORD", help="What runs there, e.g. codex."),
            click.option("--label", metavar="TEXT", help="A name for people, 64 characters."),
            click.option("--project", metavar="PATH", help="Its project's directory in the bench."),
            click.option("--parent", metavar="AGENT", help="Whose helper a swarm agent is."),
            click.option("--attach-log", is_flag=True, help="Capture the pane's output, too."),
            click.option("--log", metavar="PATH", help="Capture it, in this file."),
        )
    ):
        function = option(function)
    return function


def pane_row(
    run: Invocation, container: str, pane: str, tmux_socket: str | None
) -> Mapping[str, Any]:
    """The row of a pane that is named by ``%id`` or ``session:window.pane``.

    The daemon scans the container once where it does not know the pane.

    :param tmux_socket: path or name of its tmux server's socket, where several fit.
    :raises PaneUnknownToDaemon: there is no such pane.
    :raises Ambiguous: it fits panes of several tmux servers.
    """
    from agenttower.client.registering import chosen, find_panes
    from agenttower.errors import PaneUnknownToDaemon

    def fits(row: Mapping[str, Any]) -> bool:
        path = row["tmux_socket_path"]
        if tmux_socket is not None and tmux_socket not in (path, PurePosixPath(path).name):
            return False
        return pane in (row["tmux_pane_id"], short(row))

    rows = find_panes(run.call, run.container_id(container), fits)
    if not rows:
        raise PaneUnknownToDaemon(
            f"container {container} has no pane {pane}; see 'agenttower pane all'"
        )
    servers = {row["tmux_socket_path"] for row in rows}
    if len(servers) > 1:
        candidates = [{name: row[name] for name in _TELLING} for row in rows]
        lines = ("  ".join(plain(value) for value in row.values()) for row in candidates)
        raise Ambiguous(
            f"{plain(pane)!r} fits panes of {len(servers)} tmux servers; "
            "name one with --tmux-socket:\n  " + "\n  ".join(lines),
            candidates,
        )
    return chosen(rows)


_TELLING = ("tmux_socket_path", "tmux_session_name", "tmux_pane_id", "pane_current_command")


def short(row: Mapping[str, Any]) -> str:
    """``session:window.pane``."""
    window = row["tmux_window_index"]
    return f"{row['tmux_session_name']}:{window}.{row['tmux_pane_index']}"
