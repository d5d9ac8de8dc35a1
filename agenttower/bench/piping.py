"""Where the output of a pane goes."""

from __future__ import annotations

from agenttower.bench.interface import Deadline, PaneTarget
from agenttower.bench.servers import Servers


class Piping:
    """See :class:`agenttower.bench.interface.Bench`."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    def pipe_into(self, target: PaneTarget, log_path: str, deadline: Deadline) -> bool | None:
        raise NotImplementedError

    def is_piped(self, target: PaneTarget, deadline: Deadline) -> bool | None:
        raise NotImplementedError

    def unpipe(self, target: PaneTarget, deadline: Deadline) -> bool:
        raise NotImplementedError

    def read_file(self, path: str, offset: int, limit: int, deadline: Deadline) -> bytes:
        raise NotImplementedError
