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

from agenttower.domain.route_rules import Rule
from agenttower.errors import LayoutNotFound, RoutingToggleHostOnly
from agenttower.rpc.limits import Limits
from agenttower.rpc.method import Call, Gate, Method, Pending, Result
from agenttower.rpc.methods import method_table
from agenttower.rpc.schemas import NoParams, lenient
from agenttower.rpc.server import Server
from agenttower.services.caller import Caller
from agenttower.settings import HostRule

JOIN_S = 20.0


class FakeRoutes:
    """The service behind ``routes.*``; notes every call."""

    def __init__(self, services: FakeServices) -> None:
        self._note = services._note

    def add(self, caller: Caller, rule: Rule, claim: object) -> dict[str, Any]:
        return self._note("routes.add", scope=caller.scope, rule=rule)

    def listing(self, caller: Caller, *, enabled_only: bool) -> dict[str, Any]:
        return self._note("routes.list", scope=caller.scope, enabled_only=enabled_only)

    def show(self, caller: Caller, route_id: str) -> dict[str, Any]:
        return self._note("routes.show", scope=caller.scope, route_id=route_id)

    def remove(self, caller: Caller, route_id: str, claim: object) -> dict[str, Any]:
        return self._note("routes.remove", scope=caller.scope, route_id=route_id)

    def switch(
        self, caller: Caller, route_id: str, *, enabled: bool, claim: object
    ) -> dict[str, Any]:
        return self._note("routes.switch", scope=caller.scope, route_id=route_id, enabled=enabled)

    def preview(
        self, caller: Caller, event_id: int, *, route_id: str | None, rule: Rule | None
    ) -> dict[str, Any]:
        return self._note("routes.preview", scope=caller.scope, event_id=event_id)


class FakeAgentEvents:
    """The services of :class:`agenttower.rpc.event_services.EventServices`."""

    longest_wait_s = 30.0

    def __init__(self, note: Callable[..., dict[str, Any]]) -> None:
        self._note = note

    def page(self, caller: Caller, asked: object, **params: Any) -> dict[str, Any]:
        return self._note("events.list", scope=caller.scope, **params)

    def open(self, caller: Caller, asked: object) -> dict[str, Any]:
        return self._note("events.follow_open", scope=caller.scope)

    def next(self, caller: Caller, session_id: str, *, resumed: bool) -> dict[str, Any]:
        return {"events": [{}], "session_open": True}

    def close(self, caller: Caller, session_id: str) -> dict[str, Any]:
        return self._note("events.follow_close", session_id=session_id)

    def rules(self) -> dict[str, Any]:
        return self._note("events.classifier_rules")


class FakePrompts:
    """The queue and the switch of the fake services; every prompt is delivered at once."""

    def __init__(self, note: Callable[..., dict[str, Any]]) -> None:
        self._note = note

    def send(self, caller: Caller, *asked: Any) -> None:
        self._note("send", scope=caller.scope)

    def send_as_operator(self, caller: Caller, message_id: str, *_: Any, **__: Any) -> Any:
        self._note("send_as_operator", caller=caller.kind)
        return message_id, False

    def outcome(self, message_id: str) -> tuple[dict[str, Any], bool]:
        return {"message_id": message_id, "state": "delivered"}, True

    def show(self, caller: Caller, message_id: str) -> dict[str, Any]:
        return self._note("show", message_id=message_id) | {"last_updated_at": "t"}

    def listing(self, caller: Caller, wanted: Any) -> dict[str, Any]:
        return self._note("listing", scope=caller.scope)

    def approve(self, caller: Caller, message_id: str, claim: Any) -> dict[str, Any]:
        return self._note("act", scope=caller.scope, message_id=message_id, claim=claim)

    delay = cancel = approve

    def status(self) -> dict[str, Any]:
        return {"value": "enabled"}

    def toggle(self, caller: Caller, value: str) -> dict[str, Any]:
        if caller.kind != "host":
            raise RoutingToggleHostOnly
        return self._note("toggle", value=value)


class FakeLogs:
    """The services of :class:`agenttower.rpc.services_logs.LogServices`; changes end at once."""

    def __init__(self, note: Callable[..., dict[str, Any]]) -> None:
        self._note = note

    def begin_attach(self, caller: Caller, *asked: Any) -> bool:
        self._note("attach_log", scope=caller.scope)
        return True

    def begin_detach(self, caller: Caller, *asked: Any) -> bool:
        self._note("detach_log", scope=caller.scope)
        return True

    def outcome(self, change_id: str) -> dict[str, Any] | None:
        return {"attach_log": {}, "detach_log": {}}

    def status(self, caller: Caller, agent_id: str) -> dict[str, Any]:
        return self._note("attach_log_status", scope=caller.scope)

    def preview(self, caller: Caller, agent_id: str, lines: int) -> dict[str, Any]:
        return self._note("attach_log_preview", scope=caller.scope, lines=lines)

    def read(self, caller: Caller, agent_id: str, **asked: Any) -> dict[str, Any]:
        return self._note("logs.read", scope=caller.scope)


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
        self.agent_events: Any = FakeAgentEvents(self._note)
        self.schema_version = 9
        self.routes = FakeRoutes(self)
        self.prompts = self.routing = FakePrompts(self._note)

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

    def scan_panes(self, caller: Caller, container: str | None) -> dict[str, Any]:
        return self._note("scan_panes", container=container)

    def list_found_panes(self, caller: Caller, **params: Any) -> dict[str, Any]:
        return self._note("list_found_panes", scope=caller.scope, **params)

    def register_agent(
        self, caller: Caller, key: Mapping[str, Any], given: Mapping[str, Any]
    ) -> dict[str, Any]:
        return self._note("register_agent", key=dict(key), given=dict(given))

    def begin_registration(
        self,
        caller: Caller,
        change_id: str,
        key: Mapping[str, Any],
        given: Mapping[str, Any],
        log_path: str | None,
    ) -> bool:
        self._note("begin_registration", key=dict(key), given=dict(given), log_path=log_path)
        return True

    def registration_outcome(self, change_id: str) -> dict[str, Any]:
        return {"agent_id": "agt_0123456789ab"}

    def set_role(
        self, caller: Caller, agent_id: str, role: str, *, confirm: bool
    ) -> dict[str, Any]:
        return self._note("set_role", agent_id=agent_id, role=role, confirm=confirm)

    def set_label(self, caller: Caller, agent_id: str, label: str) -> dict[str, Any]:
        return self._note("set_label", agent_id=agent_id, label=label)

    def set_capability(self, caller: Caller, agent_id: str, capability: str) -> dict[str, Any]:
        return self._note("set_capability", agent_id=agent_id, capability=capability)

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
    on_thread_exit: Callable[[], None] | None = None,
    host_rule: HostRule = "same_namespaces",
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
        on_thread_exit=on_thread_exit or (lambda: None),
        host_rule=host_rule,
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
