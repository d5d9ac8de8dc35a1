"""``app.*``: an answer of each method, each code once or more, each detail key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from agenttower.protocol.app.managed import OF_MANAGED
from agenttower.rpc.app.sessions import CAP
from tests.conformance.row import Row, no, ok
from tests.conformance.rows_managed import MANAGED_ROWS
from tests.conformance.rows_older import of
from tests.conformance.scene import NO_ID, NOBODY, Scene


@contextmanager
def every_session_taken(s: Scene) -> Iterator[None]:
    for _ in range(CAP):
        s.tower.call("app.hello")
    yield


def scanned(s: Scene) -> dict[str, Any]:
    begun = s.result("app.scan.containers", app_session_token=s.token, wait=False)
    return {"scan_id": begun["scan_id"]}


def logged(s: Scene) -> dict[str, Any]:
    log = s.result("attach_log_status", agent_id=s.ids["taken"])["attachment"]
    return {"attachment_id": log["attachment_id"]}


def held_too(s: Scene) -> dict[str, Any]:
    return {"message_id": s.held_too}


def route_too(s: Scene) -> dict[str, Any]:
    return {"route_id": s.route_too}


LISTS = ("container", "pane", "agent", "log_attachment", "event", "queue", "route")

BOOTSTRAP_ROWS = (
    ok("app.preflight"),
    ok("app.hello", {"client_id": "conformance", "client_version": "1"}),
    ok("app.readiness"),
    ok("app.dashboard"),
    ok("app.scan.containers"),
    ok("app.scan.panes"),
    ok("app.scan.panes", {"wait": False}),
    ok("app.scan.status", scanned),
    no("app.scan.status", "scan_not_found", {"scan_id": "0" * 32}, "scan_id"),
    no(
        "app.hello",
        "app_contract_major_unsupported",
        {"client_app_contract_major": 2},
        "daemon_app_contract_version client_app_contract_major",
    ),
    no("app.hello", "validation_failed", {"client_id": 5}, "field reason"),
    no("app.hello", "host_only", asks="bench"),
    no("app.nope", "host_only", asks="bench"),
    no("app.nope", "unknown_method"),
)

READ_ROWS = (
    *(ok(f"app.{entity}.list", {"limit": 2}) for entity in LISTS),
    ok("app.container.detail", lambda s: {"container_id": s.own.id}),
    ok("app.pane.detail", lambda s: {"pane_id": s.keys["taken"]["tmux_pane_id"]}),
    ok("app.agent.detail", of("taken")),
    ok("app.log_attachment.detail", logged),
    ok("app.event.detail", lambda s: {"event_id": str(s.event)}),
    ok("app.queue.detail", held_too),
    ok("app.route.detail", route_too),
    no("app.container.detail", "not_found", {"container_id": "0" * 64}),
    no("app.pane.detail", "pane_not_found", {"pane_id": "%999999"}, "pane_id"),
    no("app.agent.detail", "agent_not_found", {"agent_id": NOBODY}, "agent_id"),
    no("app.log_attachment.detail", "not_found", {"attachment_id": "lat_000000000000"}),
    no("app.event.detail", "not_found", {"event_id": "999999999"}),
    no("app.queue.detail", "queue_message_not_found", {"message_id": NO_ID}, "message_id"),
    no("app.route.detail", "route_not_found", {"route_id": NO_ID}, "route_id"),
)

_TWINS = {managed.name: of_app.name for of_app, managed in OF_MANAGED}
_WITHOUT_DETAILS = {"tmux_unavailable"}


def twin(row: Row) -> Row:
    """The same of ``app.managed_*``, of whose codes some have other details."""
    details = frozenset[str]() if row.code in _WITHOUT_DETAILS else row.details
    return replace(row, method=_TWINS[row.method], details=details)


MANAGED_TWINS = (
    ok("app.managed_layout_create", lambda s: s.wish("of-app", label_prefix="a-")),
    ok("app.managed_layout_list"),
    ok("app.managed_layout_detail", lambda s: {"layout_id": s.layout}),
    ok("app.managed_layout_remove", lambda s: {
        "layout_id": s.created("of-app-too", label_prefix="b-")}),
    ok("app.managed_pane_list"),
    ok("app.managed_pane_detail", lambda s: {"pane_id": s.panes[0]}),
    ok("app.managed_pane_remove", lambda s: {"pane_id": s.discarded}),
    ok("app.managed_pane_recreate", lambda s: {"predecessor_pane_id": s.discarded}),
    *(twin(row) for row in MANAGED_ROWS if row.code is not None and row.method in _TWINS),
)  # fmt: skip

APP_ROWS = (
    *BOOTSTRAP_ROWS,
    *READ_ROWS,
    *MANAGED_TWINS,
    no("app.hello", "validation_failed", {}, "field reason", during=every_session_taken),
)
