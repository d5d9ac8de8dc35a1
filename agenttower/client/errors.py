"""What can go wrong for a client of the socket."""

from __future__ import annotations

from typing import Any

from agenttower.errors import AgentTowerError


class RpcError(Exception):
    """The daemon refused. Branch on ``code``; ``message`` is for people."""

    def __init__(self, code: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message
        self.details: dict[str, Any] = details or {}


class DaemonUnreachable(Exception):
    """There was no answer; whether the request took effect is then unknown once it was sent.

    ``kind`` is one of ``socket_missing``, ``socket_not_unix``, ``connection_refused``,
    ``permission_denied``, ``connect_timeout``, ``protocol_error`` (legacy surfaces, section 13),
    or empty where it does not matter.
    """

    def __init__(self, message: str, kind: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind


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
