"""Who asks. The permission rule of bench clients (R12), free of sockets and of ``/proc``.

``rpc.peer`` finds out who the caller is; services ask the :class:`Caller` whether it may.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agenttower.errors import HostOnly

SHORT_ID_LENGTH = 12

CallerKind = Literal["host", "bench", "unknown"]


def same_container(one: str, other: str) -> bool:
    """Whether two container ids name one container; 12- and 64-character forms are the same."""
    if one == other:
        return True
    short, full = sorted((one, other), key=len)
    return len(short) == SHORT_ID_LENGTH and full.startswith(short)


@dataclass(frozen=True, slots=True)
class Caller:
    """One peer of the socket, as the kernel describes it.

    ``host`` is given on positive proof only, ``bench`` carries the id under which the container is
    registered, and whatever is unclear is ``unknown`` and may do nothing that is gated.
    """

    kind: CallerKind
    container_id: str | None = None
    pid: int = 0
    uid: int = -1
    """The peer's uid as seen from here; ``-1`` where the kernel did not say."""
    reason: str = ""
    """Why the caller is ``unknown``; for our log, never for the wire."""

    @property
    def scope(self) -> str | None:
        """The container that lists are silently narrowed to; ``None`` (everything) for the host.

        :raises HostOnly: for an unknown caller, who must not be taken for the host.
        """
        self.require_known()
        return self.container_id

    def require_known(self) -> None:
        """Admit the host and identified bench clients.

        :raises HostOnly: the caller could not be identified.
        """
        if self.kind == "unknown" or (self.kind == "bench" and not self.container_id):
            raise HostOnly

    def require_host(self) -> None:
        """Admit the host only.

        :raises HostOnly: the caller is in a bench, or could not be identified.
        """
        if self.kind != "host":
            raise HostOnly

    def require_container(self, container_id: str | None) -> None:
        """Admit the host, and a bench client of that very container (R12).

        :param container_id: full or 12-character id; ``None`` (no such container) is refused to
            bench clients like a foreign one, so that they cannot probe what exists.
        :raises HostOnly: anybody else.
        """
        self.require_known()
        if self.kind == "host":
            return
        own = self.container_id
        if own is None or container_id is None or not same_container(own, container_id):
            raise HostOnly


HOST = Caller("host")
"""This program itself, where it calls a service on nobody's behalf."""
