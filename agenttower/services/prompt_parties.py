"""Sender and target of a prompt, frozen in its row (legacy surfaces part 2, section 3)."""

from __future__ import annotations

import json

from agenttower.domain.prompts import HOST_OPERATOR, OPERATOR, Identity
from agenttower.errors import AgentNotFound
from agenttower.store import targets
from agenttower.store.targets import Addressee


def sender(agent_id: str) -> tuple[Identity, bool]:
    """Who sends, and whether it is active.

    :param agent_id: or ``host-operator``, who always is.
    :raises AgentNotFound: there is no such agent.
    """
    if agent_id == HOST_OPERATOR:
        return OPERATOR, True
    found = targets.addressee(agent_id)
    if found is None:
        raise AgentNotFound(agent_id)
    return identity(found), found.agent.active


def identity(found: Addressee) -> Identity:
    """The agent as it is now; a prompt keeps that."""
    agent = found.agent
    return Identity(agent.agent_id, agent.label, agent.role, agent.capability or None)


def columns(side: str, who: Identity) -> dict[str, object]:
    """The columns of a prompt for its ``sender`` or its ``target``."""
    return {
        f"{side}_agent_id": who.agent_id,
        f"{side}_label": who.label,
        f"{side}_role": who.role,
        f"{side}_capability": who.capability,
    }


def pane_key(target: Addressee) -> str:
    """The whole key of the target's pane: ``%N`` alone repeats across tmux servers."""
    agent = target.agent
    return json.dumps(
        {
            "container_id": agent.container_id,
            "tmux_socket_path": agent.tmux_socket_path,
            "tmux_session_name": agent.tmux_session_name,
            "tmux_window_index": agent.tmux_window_index,
            "tmux_pane_index": agent.tmux_pane_index,
            "tmux_pane_id": agent.tmux_pane_id,
        }
    )
