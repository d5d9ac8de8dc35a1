"""As whom this process speaks to the queue: as the operator on the host, or as a pane's agent."""

from __future__ import annotations

from typing import Any

from agenttower.client.asking import CALL_SECONDS, Ask
from agenttower.client.identity import own_pane
from agenttower.client.refusals import SenderRoleNotPermitted
from agenttower.client.registering import KEY


def caller_pane(ask: Ask) -> dict[str, Any] | None:
    """The ``caller_pane`` of a process in a bench; ``None`` on the host.

    The daemon says which of the two it is, since it knows that from the kernel.

    :raises NotInTmux: or :class:`TmuxPaneMalformed`, in a bench outside of tmux.
    :raises SenderRoleNotPermitted: in a pane without an active agent.
    """
    answer = ask("list_containers", {"active_only": True}, CALL_SECONDS)
    if answer.get("caller_container_id") is None:
        return None
    pane = own_pane()
    for agent in ask("list_agents", {"active_only": True}, CALL_SECONDS)["agents"]:
        if (agent["tmux_socket_path"], agent["tmux_pane_id"]) == (pane.socket_path, pane.pane_id):
            return {"pane_composite_key": {name: agent[name] for name in KEY}}
    raise SenderRoleNotPermitted(
        SenderRoleNotPermitted.code,
        "no active agent is registered on the sending pane; "
        "register it with 'agenttower register-self', and give it the role master on the host",
    )
