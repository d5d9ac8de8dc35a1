"""Giving text to the program in a pane (tmux-channel.md section 7)."""

from __future__ import annotations

from agenttower.bench.interface import Deadline, PaneTarget
from agenttower.bench.servers import Servers


class Pasting:
    """See :class:`agenttower.bench.interface.Bench`."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    def paste(self, target: PaneTarget, text: bytes, deadline: Deadline) -> bool:
        raise NotImplementedError

    def submit(self, target: PaneTarget, deadline: Deadline) -> bool:
        raise NotImplementedError
