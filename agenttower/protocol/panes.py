"""How a request names a tmux pane, and what its caller says it speaks for."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from agenttower.protocol.values import Text


class PaneKey(msgspec.Struct, frozen=True):
    """The six parts that make a pane (legacy surfaces part 2, section 0.3)."""

    container_id: Text
    tmux_socket_path: Text
    tmux_session_name: Text
    tmux_window_index: int
    tmux_pane_index: int
    tmux_pane_id: Text


class CallerPane(msgspec.Struct, frozen=True):
    """The pane that a client in a bench speaks for; the agent, where given, must live in it."""

    pane_composite_key: PaneKey
    agent_id: str | None = None


OfCaller = Annotated[
    CallerPane | None, Meta(description="the pane that the caller speaks for; none on the host")
]
