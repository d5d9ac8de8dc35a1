"""What a pane shows."""

from __future__ import annotations

from agenttower.bench.interface import Deadline, PaneTarget, Screen
from agenttower.bench.servers import Servers


class Screens:
    """See :class:`agenttower.bench.interface.Bench`."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    def screen(self, target: PaneTarget, deadline: Deadline) -> Screen | None:
        raise NotImplementedError
