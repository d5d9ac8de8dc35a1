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
from agenttower.rpc.services_app import AppListServices
from agenttower.services.app_lists import Asked

Page = Callable[[AppListServices, Asked], msgspec.Struct]

PAGES: tuple[tuple[Declaration, Page], ...] = (
    (lists.CONTAINERS, lambda shown, asked: shown.containers(asked)),
    (lists.PANES, lambda shown, asked: shown.panes(asked)),
    (lists.AGENTS, lambda shown, asked: shown.agents(asked)),
    (lists.LOG_ATTACHMENTS, lambda shown, asked: shown.log_attachments(asked)),
    (lists.EVENTS, lambda shown, asked: shown.events(asked)),
    (lists.MESSAGES, lambda shown, asked: shown.messages(asked)),
    (lists.ROUTES, lambda shown, asked: shown.routes(asked)),
)


def list_methods(services: Services, sessions: AppSessions) -> dict[str, Method[Any]]:
    """Lists and details, over one set of services."""
    return {
        **{declared.name: _bound(declared, page, services, sessions) for declared, page in PAGES},
        **detail_methods(services, sessions),
    }


def _bound(
    declared: Declaration, page: Page, services: Services, sessions: AppSessions
) -> Method[Any]:
    def handler(call: Call[InSession[Asked]]) -> msgspec.Struct:
        return page(services.app_lists, call.params.params)

    assert issubclass(declared.params, lists.ListParams)
    return app_method(declared, handler, sessions, decode=list_params(declared.params))
