"""As whom this process speaks to the queue: as the operator on the host, or as a pane's agent."""

from __future__ import annotations

from typing import Any

from agenttower.cli.invocation import Invocation

KEY = (
    "container_id",
    "tmux_socket_path",
    "tmux_session_name",
    "tmux_window_index",
    "tmux_pane_index",
    "tmux_pane_id",
)


def caller_pane(run: Invocation) -> dict[str, Any] | None:
    """The ``caller_pane`` of a process in a bench; ``None`` on the host.

    The daemon says which of the two it is, since it knows that from the kernel.

    :raises NotInTmux: or :class:`TmuxPaneMalformed`, in a bench outside of tmux.
    :raises SenderNotPermitted: in a pane without an active agent.
    """
    if run.call("list_containers", {"active_only": True}).get("caller_container_id") is None:
        return None
    from agenttower.client.identity import own_pane
    from agenttower.errors import SenderNotPermitted

    pane = own_pane()
    for agent in run.call("list_agents", {"active_only": True})["agents"]:
        if (agent["tmux_socket_path"], agent["tmux_pane_id"]) == (pane.socket_path, pane.pane_id):
            return {"pane_composite_key": {name: agent[name] for name in KEY}}
    raise SenderNotPermitted
