"""``app.*``: an answer of each method, each code once or more, each detail key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from agenttower.rpc.app.sessions import CAP
from tests.conformance.row import no, ok
from tests.conformance.scene import Scene


@contextmanager
def every_session_taken(s: Scene) -> Iterator[None]:
    for _ in range(CAP):
        s.tower.call("app.hello")
    yield


APP_ROWS = (
    ok("app.preflight"),
    ok("app.hello", {"client_id": "conformance", "client_version": "1"}),
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
    no("app.hello", "validation_failed", {}, "field reason", during=every_session_taken),
)
