"""Every row, in the order in which they are asked; a new table is added here."""

from __future__ import annotations

from agenttower.rpc.framing import APP_REQUEST_LIMIT
from tests.conformance.row import no, ok
from tests.conformance.rows_app import APP_ROWS
from tests.conformance.rows_app_changes import APP_CHANGE_ROWS
from tests.conformance.rows_managed import MANAGED_ROWS
from tests.conformance.rows_older import (
    AGENT_ROWS,
    DAEMON_ROWS,
    EVENT_ROWS,
    LAST_ROWS,
    LOG_ROWS,
    PROMPT_ROWS,
    ROUTE_ROWS,
)

ROWS = (
    *DAEMON_ROWS,
    *AGENT_ROWS,
    *LOG_ROWS,
    *EVENT_ROWS,
    *PROMPT_ROWS,
    *ROUTE_ROWS,
    *MANAGED_ROWS,
    *APP_CHANGE_ROWS,
    *APP_ROWS,
    *LAST_ROWS,
)

_LONG = b"x" * (APP_REQUEST_LIMIT + 1)

LINES = (
    ("legacy", b"{", "bad_json", ""),
    ("legacy", b'{"method": "\xff"}', "bad_json", ""),
    ("legacy", b"[]", "bad_request", ""),
    ("legacy", b'{"method": ""}', "bad_request", ""),
    ("legacy", b'{"method": "ping", "x": "' + _LONG + b'"}', "request_too_large", ""),
    ("app", b"", "malformed_request", "reason"),
    ("app", b'{"method": "app.hello"} {}', "malformed_request", "reason"),
    (
        "app",
        b'{"method": "app.hello", "x": "' + _LONG + b'"}',
        "payload_too_large",
        "size_limit_bytes actual_size_bytes",
    ),
)
"""Which envelope refuses a line that is no request, by which code, with which keys."""

AT_THE_END = (
    ok("shutdown"),
    no("queue.operator_input", "daemon_shutting_down", {"target": "nobody", "body_bytes": ""}),
    no("app.hello", "internal_error", {}, "reason"),
    ok("app.preflight"),
)
"""What the tower is asked at last: first to stop, and then what it began to read before that."""

WAITING_AT_THE_END = no("app.scan.containers", "scan_timeout", {}, "scan_id", where="lonely")
"""What is still waited for when the front end stops; nobody waits 30 s for it here."""
