"""Finding every pane of the bench user's tmux servers (legacy surfaces part 1, section 7)."""

from __future__ import annotations

from agenttower.bench.interface import Deadline, Discovery
from agenttower.bench.servers import Servers


class Discoverer:
    """See :class:`agenttower.bench.interface.Bench`."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    def discover(self, deadline: Deadline) -> Discovery:
        raise NotImplementedError
