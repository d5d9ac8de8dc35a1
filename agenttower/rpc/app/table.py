"""All of ``app.*``: name to :class:`~agenttower.rpc.method.Method`."""

from __future__ import annotations

from typing import Any

from agenttower.rpc.app.agents import agent_methods
from agenttower.rpc.app.bootstrap import bootstrap_methods
from agenttower.rpc.app.dashboard import dashboard_methods
from agenttower.rpc.app.lists import list_methods
from agenttower.rpc.app.managed import managed_methods
from agenttower.rpc.app.prompts import prompt_methods
from agenttower.rpc.app.readiness import readiness_methods
from agenttower.rpc.app.routes import route_methods
from agenttower.rpc.app.scans import scan_methods
from agenttower.rpc.app.sessions import AppSessions
from agenttower.rpc.method import Method
from agenttower.rpc.services import Services


def app_methods(services: Services) -> dict[str, Method[Any]]:
    """The ``app.*`` table over one set of services, with sessions of its own."""
    sessions = AppSessions()
    return {
        **bootstrap_methods(services, sessions),
        **readiness_methods(services, sessions),
        **dashboard_methods(services, sessions),
        **scan_methods(services, sessions),
        **list_methods(services, sessions),
        **agent_methods(services, sessions),
        **prompt_methods(services, sessions),
        **route_methods(services, sessions),
        **managed_methods(services, sessions),
    }
