"""How the parts of this package ask the daemon, and how they go on over its restarts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from agenttower.client.errors import DaemonUnreachable

Ask = Callable[[str, Mapping[str, Any], float], "dict[str, Any]"]
"""A call of the daemon: method, params, seconds to wait; the result, or an exception."""

CALL_SECONDS = 35.0
"""Longer than the daemon allows itself, so that its own word on what took too long arrives."""
SLOW_SECONDS = 100.0
"""For scans, which may wait for others."""
WAIT_SECONDS = 25.0
"""How long one request waits for news; more is not allowed."""
PATIENCE_SECONDS = 15.0
_RETRY_SECONDS = 0.25


def given(**params: Any) -> dict[str, Any]:
    """Those parameters that are not ``None``: what is left out has the daemon's default."""
    return {name: value for name, value in params.items() if value is not None}


class Patient:
    """Asks again while the daemon is away, but not before it has answered once.

    Only for requests that read: they may be made twice.

    :param seconds: how long it may be away.
    """

    def __init__(self, ask: Ask, seconds: float = PATIENCE_SECONDS) -> None:
        self._ask = ask
        self._seconds = seconds
        self._begun = False

    def __call__(self, method: str, params: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        """:raises DaemonUnreachable: it was never there, or did not come back."""
        lost_since: float | None = None
        while True:
            try:
                answer = self._ask(method, params, timeout)
            except DaemonUnreachable:
                now = time.monotonic()
                lost_since = now if lost_since is None else lost_since
                if not self._begun or now - lost_since >= self._seconds:
                    raise
                time.sleep(_RETRY_SECONDS)
                continue
            self._begun = True
            return answer
