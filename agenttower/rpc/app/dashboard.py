"""``app.dashboard`` (app surface, section 11)."""

from __future__ import annotations

from typing import Any

from agenttower.rpc.app.sessions import AppSessions
from agenttower.rpc.method import Method
from agenttower.rpc.services import Services


def dashboard_methods(services: Services, sessions: AppSessions) -> dict[str, Method[Any]]:
    return {}
