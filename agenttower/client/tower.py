"""The daemon as an object. Standard library only, Python 3.9 and newer."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from agenttower import __version__
from agenttower.client import connection, paging
from agenttower.client.connection import DEFAULT_TIMEOUT_S
from agenttower.client.errors import DaemonUnreachable, SocketPermissionDenied
from agenttower.client.events import Events
from agenttower.client.layouts import Layouts, Panes
from agenttower.client.line import Line
from agenttower.client.logs import Logs
from agenttower.client.prompts import Prompts, Routing
from agenttower.client.refusals import PermissionDenied
from agenttower.client.registry import Agents, Containers
from agenttower.client.routes import Routes
from agenttower.client.session import WITHOUT_SESSION, AppSession
from agenttower.client.socket_path import resolve_socket


class Client:
    """Asks one daemon. Safe to use from many threads.

    :param socket: the daemon's socket; by default the one that the command line would use.
    :param timeout: seconds for a request of :meth:`call` that names no other.
    :param keep_open: keep one connection between requests, for programs that ask a lot; close the
        client then. By default nothing is held open between two requests.
    :param client_id: who this is, up to 128 characters; said with the first ``app.*`` request.
    :raises SocketOverrideInvalid: ``AGENTTOWER_SOCKET`` names nothing that can be used.
    """

    def __init__(
        self,
        socket: str | os.PathLike[str] | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT_S,
        keep_open: bool = False,
        client_id: str = "",
        client_version: str = __version__,
    ) -> None:
        self.socket = resolve_socket() if socket is None else Path(socket)
        self.timeout = timeout
        self._line = Line(self.socket) if keep_open else None
        self._session = AppSession(self._send, client_id, client_version)
        self.containers = Containers(self._ask)
        self.agents = Agents(self._ask)
        self.layouts = Layouts(self._ask)
        self.panes = Panes(self._ask)
        self.logs = Logs(self._ask)
        self.events = Events(self._ask)
        self.prompts = Prompts(self._ask, self.socket)
        self.routing = Routing(self._ask)
        self.routes = Routes(self._ask)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up, where a connection is kept. The client may be used again all the same."""
        if self._line is not None:
            self._line.close()

    def call(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """Ask anything: ``client.call("managed.pane.detail", pane_id=...)``.

        For ``app.*`` a session is opened at the first request and opened anew when the daemon has
        forgotten it.

        :param params: and ``more``: the parameters, by either way.
        :param timeout: seconds for the whole exchange.
        :returns: the ``result`` of the answer.
        :raises RpcError: the daemon refused; see :mod:`agenttower.client.refusals`.
        :raises DaemonUnreachable: no daemon, no answer in time, or no sensible one.
        """
        seconds = self.timeout if timeout is None else timeout
        return self._ask(method, {**(params or {}), **more}, seconds)

    def rows(self, method: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Every row of a paged list: ``client.rows("app.agent.list", order_by="role")``."""
        return paging.rows(self._ask, method, params, self.timeout)

    def ping(self) -> None:
        """Return if the daemon answers."""
        self.call("ping")

    def status(self) -> dict[str, Any]:
        """How everything is; in a bench less of it."""
        return self.call("status")

    def preflight(self) -> str:
        """Is the daemon there? One of ``ok``, ``daemon_unavailable``, ``socket_missing`` and
        ``socket_permission_denied`` (app surface, section 9.1); for the host.

        :raises HostOnly: this is a bench.
        """
        try:
            return str(self.call("app.preflight")["code"])
        except DaemonUnreachable as error:
            return error.code
        except PermissionDenied:  # of another user, who could open the socket all the same
            return SocketPermissionDenied.code

    def _ask(self, method: str, params: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        if method.startswith("app.") and method not in WITHOUT_SESSION:
            return self._session.call(method, params, timeout)
        return self._send(method, params, timeout)

    def _send(self, method: str, params: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        """One request on the wire; the only place that knows of connections."""
        if self._line is not None:
            return connection.result_of(self._line.exchange(method, params, timeout))
        return connection.call(self.socket, method, params, timeout)
