"""``app.<entity>.list`` of the seven entities (app surface, section 8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from agenttower.protocol.app import lists
from agenttower.protocol.declaration import Declaration
from agenttower.rpc.app.binding import InSession, app_method
from agenttower.rpc.app.details import detail_methods
from agenttower.rpc.app.list_params import list_params
from agenttower.rpc.app.sessions import AppSessions
from agenttower.rpc.method import Call, Method
from agenttower.rpc.services import Services
from agenttower.services.app_lists import Asked


def list_methods(services: Services, sessions: AppSessions) -> dict[str, Method[Any]]:
    """Lists and details, over one set of services."""
    shown = services.app_lists
    pages: list[tuple[Declaration, Callable[[Asked], msgspec.Struct]]] = [
        (lists.CONTAINERS, shown.containers),
        (lists.PANES, shown.panes),
        (lists.AGENTS, shown.agents),
        (lists.LOG_ATTACHMENTS, shown.log_attachments),
        (lists.EVENTS, shown.events),
        (lists.MESSAGES, shown.messages),
        (lists.ROUTES, shown.routes),
    ]
    return {
        **{declared.name: _bound(declared, page, sessions) for declared, page in pages},
        **detail_methods(services, sessions),
    }


def _bound(
    declared: Declaration, page: Callable[[Asked], msgspec.Struct], sessions: AppSessions
) -> Method[Any]:
    def handler(call: Call[InSession[Asked]]) -> msgspec.Struct:
        return page(call.params.params)

    assert issubclass(declared.params, lists.ListParams)
    return app_method(declared, handler, sessions, decode=list_params(declared.params))
