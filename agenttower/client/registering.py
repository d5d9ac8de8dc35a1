"""Registering the agent that runs in this very pane (legacy surfaces part 1, section 12.5).

Standard library only, Python 3.9 and newer: it runs in benches.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agenttower.client.asking import Ask
from agenttower.client.errors import HostContextUnsupported
from agenttower.client.identity import OwnPane, container_id, in_container, own_pane
from agenttower.client.refusals import PaneUnknownToDaemon

KEY = (
    "container_id",
    "tmux_socket_path",
    "tmux_session_name",
    "tmux_window_index",
    "tmux_pane_index",
    "tmux_pane_id",
)

LIST_SECONDS = 10.0
REGISTER_SECONDS = 35.0
SCAN_SECONDS = 100.0


def register_self(
    ask: Ask,
    given: Mapping[str, Any],
    environ: Mapping[str, str] = os.environ,
    root: Path = Path("/"),
) -> dict[str, Any]:
    """Register the pane that this process runs in.

    :param given: the parameters of ``register_agent`` that the operator typed, and no others.
    :param root: where the file system begins.
    :return: the result of ``register_agent``.
    :raises HostContextUnsupported: this is no container.
    :raises ContainerUnresolved: the daemon does not know this container.
    :raises NotInTmux: or :class:`TmuxPaneMalformed`.
    :raises PaneUnknownToDaemon: the daemon does not find this pane, also after a scan.
    """
    if not in_container(root):
        raise HostContextUnsupported(
            "this is not a container; on the host, run 'agenttower agent register' with the "
            "container and the pane"
        )
    own = container_id(ask("list_containers", {"active_only": True}, LIST_SECONDS), environ, root)
    pane = own_pane(environ)
    rows = find_panes(ask, own, lambda row: _is(row, pane))
    if not rows:
        raise PaneUnknownToDaemon(
            PaneUnknownToDaemon.code,
            f"the daemon does not find pane {pane.pane_id} of {pane.socket_path}, also after a "
            "scan; is that tmux server the bench user's own?",
        )
    return register(ask, chosen(rows), given)


def given_of(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of ``register_agent`` for options that were typed."""
    names = {"project": "project_path", "parent": "parent_agent_id"}
    plain = ("role", "capability", "label", "project", "parent")
    given = {names.get(name, name): wanted[name] for name in plain if wanted.get(name) is not None}
    log = wanted.get("log")
    if wanted.get("attach_log") or log is not None:
        given["attach_log"] = {} if log is None else {"log_path": log}
    return given


def find_panes(
    ask: Ask, container: str, wanted: Callable[[Mapping[str, Any]], bool]
) -> list[dict[str, Any]]:
    """The active panes of a container that are wanted; where there is none, after one scan.

    :param container: its full id.
    """
    params = {"active_only": True, "container": container}
    rows = [row for row in ask("list_panes", params, LIST_SECONDS)["panes"] if wanted(row)]
    if rows:
        return rows
    ask("scan_panes", {"container": container}, SCAN_SECONDS)
    return [row for row in ask("list_panes", params, LIST_SECONDS)["panes"] if wanted(row)]


def chosen(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """One row of a pane: a window that several sessions share is listed in each of them, so the
    row that has the agent already is meant, else the first."""
    held: Mapping[str, Any] | None = next((row for row in rows if row.get("agent_id")), None)
    return held or rows[0]


def register(ask: Ask, row: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Register the pane of a row of ``list_panes``."""
    params = {
        "container_id": row["container_id"],
        "pane_composite_key": {name: row[name] for name in KEY},
        **given,
    }
    return ask("register_agent", params, REGISTER_SECONDS)


def _is(row: Mapping[str, Any], pane: OwnPane) -> bool:
    return (row["tmux_socket_path"], row["tmux_pane_id"]) == (pane.socket_path, pane.pane_id)
