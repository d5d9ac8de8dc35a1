"""A running front end over a fake of the services, and a client that can misbehave."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agenttower.errors import LayoutNotFound
from agenttower.rpc.limits import Limits
from agenttower.rpc.method import Call, Gate, Method, Pending, Result
from agenttower.rpc.methods import method_table
from agenttower.rpc.schemas import NoParams, lenient
from agenttower.rpc.server import Server
from agenttower.services.caller import Caller

JOIN_S = 20.0


class FakeLogs:
    """Logs of which nothing is known: every call is noted, and has its answer at once."""

    def __init__(self, note: Callable[..., dict[str, Any]]) -> None:
        self._note = note

    def begin_attach(
        self, caller: Caller, change_id: str, agent_id: str, log_path: str | None
    ) -> bool:
        return bool(self._note("begin_attach", agent_id=agent_id, log_path=log_path))

    def begin_detach(self, caller: Caller, change_id: str, agent_id: str) -> bool:
        return bool(self._note("begin_detach", agent_id=agent_id))

    def outcome(self, change_id: str) -> dict[str, Any]:
        return {"attach_log": {}, "detach_log": {}}

    def status(self, caller: Caller, agent_id: str) -> dict[str, Any]:
        return self._note("log_status", agent_id=agent_id)

    def preview(self, caller: Caller, agent_id: str, lines: int) -> dict[str, Any]:
        return self._note("log_preview", agent_id=agent_id, lines=lines)

    def read(self, caller: Caller, agent_id: str, **params: Any) -> dict[str, Any]:
        return self._note("read_log", agent_id=agent_id, **params)


class FakeServices:
    """The services of :class:`agenttower.rpc.services.Services`, in memory; notes every call."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.logs = self.log_reading = FakeLogs(self._note)
        self.containers: dict[str, str] = {}
        """Full id to name."""
        self.revisions: dict[str, int] = {}
        """Layout id to revision."""
        self.owners: dict[str, str] = {}
        """Layout id to container id."""
        self.events: list[dict[str, Any]] = []
        self.schema_version = 9

    def status(self, *, whole: bool) -> dict[str, Any]:
        return {"alive": True, "schema_version": self.schema_version}

    def scan_containers(self) -> dict[str, Any]:
        return self._note("scan_containers")

    def list_containers(self, active_only: bool, scope: str | None) -> dict[str, Any]:
        return self._note("list_containers", active_only=active_only, scope=scope)

    def list_agents(
        self,
        roles: list[str] | None,
        container_id: str | None,
        active_only: bool,
        parent_agent_id: str | None,
        scope: str | None,
    ) -> dict[str, Any]:
        return self._note(
            "list_agents",
            roles=roles,
            container_id=container_id,
            active_only=active_only,
            parent_agent_id=parent_agent_id,
            scope=scope,
        )

    def resolve_container(self, ref: str) -> str | None:
        for full, name in self.containers.items():
            if ref in (full, full[:12], name):
                return full
        return None

    def create_layout(self, caller: Caller, **params: Any) -> dict[str, Any]:
        return self._note("create_layout", caller=caller.kind, **params)

    def list_layouts(self, caller: Caller, **params: Any) -> dict[str, Any]:
        return self._note("list_layouts", scope=caller.scope, **params)

    def layout_detail(
        self, caller: Caller, layout_id: str, *, include_terminal_panes: bool
    ) -> dict[str, Any]:
        if layout_id not in self.revisions:
            raise LayoutNotFound(layout_id)
        caller.require_container(self.owners.get(layout_id))
        self._note("layout_detail", layout_id=layout_id, terminal=include_terminal_panes)
        return {"layout_id": layout_id, "revision": self.revisions[layout_id]}

    def layout_revision(self, layout_id: str) -> int | None:
        return self.revisions.get(layout_id)

    def list_panes(self, caller: Caller, **params: Any) -> dict[str, Any]:
        return self._note("list_panes", scope=caller.scope, **params)

    def pane_detail(
        self, caller: Caller, pane_id: str, *, include_predecessor_chain: bool
    ) -> dict[str, Any]:
        return self._note("pane_detail", pane_id=pane_id, chain=include_predecessor_chain)

    def begin_pane_removal(self, caller: Caller, pane_id: str) -> None:
        self._note("begin_pane_removal", pane_id=pane_id)

    def pane_removal(self, pane_id: str) -> dict[str, Any] | None:
        return self._note("pane_removal", pane_id=pane_id)

    def begin_layout_removal(self, caller: Caller, layout_id: str) -> None:
        self._note("begin_layout_removal", layout_id=layout_id)

    def layout_removal(self, layout_id: str) -> dict[str, Any] | None:
        return self._note("layout_removal", layout_id=layout_id)

    def recreate_pane(self, caller: Caller, **params: Any) -> dict[str, Any]:
        return self._note("recreate_pane", **params)

    def list_events(
        self,
        caller: Caller,
        *,
        container_id: str | None,
        layout_id: str | None,
        pane_id: str | None,
        after: int,
        limit: int,
    ) -> dict[str, Any]:
        page = [event for event in self.events if event["id"] > after][:limit]
        return {"events": page, "next": page[-1]["id"] if page else after}

    def _note(self, method: str, **params: Any) -> dict[str, Any]:
        self.calls.append((method, params))
        return {"called": method, **params}


Handler = Callable[[Call[Any]], "Result | Pending"]


def open_method(handler: Handler, deadline_s: float = 30.0) -> Method[Any]:
    """A method for everybody that takes no parameters."""
    return Method(lenient(NoParams), handler, Gate.OPEN, deadline_s)


@dataclass
class RunningServer:
    """A server on a thread of its own."""

    path: Path
    server: Server
    services: FakeServices
    thread: threading.Thread
    failures: list[BaseException] = field(default_factory=list)

    def connect(self, timeout: float = 10.0) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout)
        try:
            connection.connect(str(self.path))
        except BaseException:
            connection.close()
            raise
        return connection

    def exchange(self, data: bytes, *, half_close: bool = False) -> bytes:
        """Send bytes as they are and return everything that comes back until the end."""
        with self.connect() as connection:
            connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            return read_all(connection)

    def ask(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The decoded answer to one well-formed request."""
        request = {"method": method, **({} if params is None else {"params": params})}
        return decoded(self.exchange(json.dumps(request).encode() + b"\n"))

    def error(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The ``error`` object of a request that must be refused."""
        answer = self.ask(method, params)
        assert answer["ok"] is False, answer
        return dict(answer["error"])

    def ended(self) -> bool:
        """Whether ``serve_forever`` has returned, waiting for it a while."""
        self.thread.join(JOIN_S)
        return not self.thread.is_alive()


def decoded(answer: bytes) -> dict[str, Any]:
    """One answer line."""
    assert answer.endswith(b"\n"), answer
    assert answer.count(b"\n") == 1, answer
    return dict(json.loads(answer))


def read_all(connection: socket.socket) -> bytes:
    """Everything until the other side closes."""
    chunks = []
    while chunk := connection.recv(65536):
        chunks.append(chunk)
    return b"".join(chunks)


@contextmanager
def running_server(
    directory: Path,
    services: FakeServices | None = None,
    extra: Mapping[str, Method[Any]] | None = None,
    limits: Limits | None = None,
    resolve: Callable[[str], str | None] | None = None,
) -> Iterator[RunningServer]:
    """Serve the method table over ``services``, plus ``extra`` methods; stopped at the end."""
    services = services or FakeServices()
    path = directory / "agenttowerd.sock"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen(512)
    server = Server(
        {**method_table(services), **(extra or {})},
        resolve or services.resolve_container,
        limits=limits,
    )
    failures: list[BaseException] = []

    def serve() -> None:
        try:
            server.serve_forever(listener)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=serve, name="server-under-test")
    running = RunningServer(path, server, services, thread, failures)
    thread.start()
    try:
        yield running
    finally:
        server.stop()
        assert running.ended(), "the server did not stop"
        assert not failures, failures
