"""The command that brings a person into a layout's tmux session."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from agenttower.cli.invocation import Invocation
from agenttower.cli.text import safe

_DEFAULT_SOCKET = re.compile(r"/tmp/tmux-(\d+)/default")
LOCAL_PROVIDER = "local"


def attach_command(run: Invocation, layout: Mapping[str, Any]) -> str | None:
    """What to type to attach; ``None`` where no pane has an agent, or the daemon will not say."""
    from agenttower.client import DaemonUnreachable, RpcError

    ours = {pane["agent_id"] for pane in layout["panes"] if pane.get("agent_id")}
    if not ours:
        return None
    container_id = layout["container_id"]
    try:
        agents = run.call("list_agents", {"container_id": container_id})["agents"]
        containers = run.call("list_containers", {})["containers"]
    except (RpcError, DaemonUnreachable):
        return None
    agent = next((agent for agent in agents if agent["agent_id"] in ours), None)
    container = next((row for row in containers if row["id"] == container_id), None)
    if agent is None or container is None:
        return None
    session = layout.get("tmux_session_target") or layout["tmux_session_name"]
    return safe(shlex.join(_words(container, agent, session)))


def _words(container: Mapping[str, Any], agent: Mapping[str, Any], session: str) -> list[str]:
    socket = agent.get("tmux_socket_path") or ""
    default = _DEFAULT_SOCKET.fullmatch(socket)
    tmux = ["tmux", *(() if default or not socket else ("-S", socket)), "attach", "-t", session]
    if container.get("provider") == LOCAL_PROVIDER:
        return tmux
    # The socket is its owner's alone, and its usual path names the owner.
    user = container.get("config_user") or (default and default[1])
    options = ["-it", *(("-u", user) if user and user != "0" else ())]
    return ["docker", "exec", *options, container["name"], *tmux]
