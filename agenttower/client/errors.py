"""What can go wrong for a client of the socket: refusals, no daemon, and what is wrong here.

All are :class:`agenttower.errors.AgentTowerError`. What the daemon refused is :class:`RpcError`, of
which :mod:`agenttower.client.refusals` has one class for every code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agenttower.errors import AgentTowerError


class RpcError(AgentTowerError):
    """The daemon refused. Branch on the class or on ``code``; ``message`` is for people.

    :param code: the token of the wire.
    :param details: the ``details`` of the wire. Those that a subclass names are attributes of it
        too, ``None`` where the daemon did not send them.
    """

    def __init__(self, code: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.details: dict[str, Any] = dict(details or {})
        for name in self.detail_names():
            setattr(self, name, self.details.get(name))

    def __str__(self) -> str:
        return f"{self.message} ({self.code})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.code, self.message, self.details)

    @classmethod
    def detail_names(cls) -> list[str]:
        """The details that this class has as attributes: those that it annotates."""
        kinds = [
            kind for kind in cls.__mro__ if issubclass(kind, RpcError) and kind is not RpcError
        ]
        return [name for kind in kinds for name in getattr(kind, "__annotations__", {})]


class DaemonUnreachable(AgentTowerError):
    """There was no answer; whether the request took effect is then unknown once it was sent.

    ``code`` is one of app surface, section 9.1; ``kind`` says more: ``socket_missing``,
    ``socket_not_unix``, ``connection_refused``, ``permission_denied``, ``connect_timeout``,
    ``protocol_error`` (legacy surfaces, section 13), or empty where it does not matter.
    """

    code = "daemon_unavailable"

    def __init__(self, message: str, kind: str = "") -> None:
        super().__init__(message)
        self.kind = kind


class SocketMissing(DaemonUnreachable):
    """There is no socket at the path: no daemon has been started, or another path is meant."""

    code = "socket_missing"


class SocketPermissionDenied(DaemonUnreachable):
    """The socket is another user's."""

    code = "socket_permission_denied"


_KINDS: dict[str, type[DaemonUnreachable]] = {
    "socket_missing": SocketMissing,
    "permission_denied": SocketPermissionDenied,
}


def unreachable(message: str, kind: str) -> DaemonUnreachable:
    """The exception for one ``kind`` of having no answer."""
    return _KINDS.get(kind, DaemonUnreachable)(message, kind)


class WaitTimedOut(AgentTowerError, TimeoutError):
    """What was waited for had not come when the time was over. It may still come."""

    code = "timed_out"


class NotInitialised(AgentTowerError):
    """On the host: AgentTower has never run for this user."""

    code = "not_initialised"


class HostContextUnsupported(AgentTowerError):
    """Only a process in a container can register itself."""

    code = "host_context_unsupported"


class ContainerUnresolved(AgentTowerError):
    """The daemon knows no active container that is this one."""

    code = "container_unresolved"


class NotInTmux(AgentTowerError):
    """This process runs in no tmux pane."""

    code = "not_in_tmux"


class TmuxPaneMalformed(AgentTowerError):
    """``TMUX`` and ``TMUX_PANE`` are not what tmux sets."""

    code = "tmux_pane_malformed"
