"""Every row, in the order in which they are asked; a new table is added here."""

from __future__ import annotations

from tests.conformance.row import no, ok
from tests.conformance.rows_app import APP_ROWS
from tests.conformance.rows_app_changes import (
    APP_CHANGE_ROWS,
    APP_MANAGED_ROWS,
    APP_ROWS_WITHOUT_AN_ENGINE,
)
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
    *APP_ROWS_WITHOUT_AN_ENGINE,
    *MANAGED_ROWS,
    *APP_CHANGE_ROWS,
    *APP_MANAGED_ROWS,
    *APP_ROWS,
    *LAST_ROWS,
)

LINES = (
    (b"{", "bad_json"),
    (b'{"method": "\xff"}', "bad_json"),
    (b"[]", "bad_request"),
    (b'{"method": ""}', "bad_request"),
    (b'{"method": "ping", "x": "' + b"x" * 65536 + b'"}', "request_too_large"),
)
"""Lines that are no request, and their code."""

AT_THE_END = (
    ok("shutdown"),
    no("queue.operator_input", "daemon_shutting_down", {"target": "nobody", "body_bytes": ""}),
    no("app.hello", "internal_error", {}, "reason"),
    ok("app.preflight"),
)
"""What the tower is asked at last: first to stop, and then what it began to read before that."""
