"""``app.<entity>.detail`` of the seven entities (app surface, section 8.6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from agenttower.protocol.app import details
from agenttower.protocol.declaration import Declaration
from agenttower.rpc.app.binding import InSession, app_method
from agenttower.rpc.app.errors import AppError
from agenttower.rpc.app.sessions import AppSessions
from agenttower.rpc.method import Call, Method
from agenttower.rpc.services import Services
from agenttower.rpc.services_app import AppRowServices

LARGEST_ID = 2**63 - 1
Look = Callable[[AppRowServices, Any], msgspec.Struct | None]


def _pane(rows: AppRowServices, asked: details.PaneId) -> msgspec.Struct | None:
    return rows.pane(asked.pane_id, _given(asked.container_id), _given(asked.tmux_socket))


def _event(rows: AppRowServices, asked: details.EventId) -> msgspec.Struct | None:
    event_id = int(asked.event_id)
    return rows.event(event_id) if event_id <= LARGEST_ID else None


LOOKS: tuple[tuple[Declaration, Look, str], ...] = (
    (details.CONTAINER, lambda rows, asked: rows.container(asked.container_id), "container"),
    (details.PANE, _pane, "pane"),
    (details.AGENT, lambda rows, asked: rows.agent(asked.agent_id), "agent"),
    (
        details.LOG_ATTACHMENT,
        lambda rows, asked: rows.log_attachment(asked.attachment_id),
        "log attachment",
    ),
    (details.EVENT, _event, "event"),
    (details.MESSAGE, lambda rows, asked: rows.message(asked.message_id), "prompt"),
    (details.ROUTE, lambda rows, asked: rows.route(asked.route_id), "route"),
)
"""What is looked up, how, and what people call it."""


def detail_methods(services: Services, sessions: AppSessions) -> dict[str, Method[Any]]:
    """One row by its id, over one set of services."""
    return {
        declared.name: _bound(declared, look, noun, services, sessions)
        for declared, look, noun in LOOKS
    }


def _bound(
    declared: Declaration, look: Look, noun: str, services: Services, sessions: AppSessions
) -> Method[Any]:
    def handler(call: Call[InSession[Any]]) -> msgspec.Struct:
        asked = call.params.params
        row = look(services.app_rows, asked)
        if row is None:
            raise _missing(declared, asked, noun)
        return declared.result(row)

    return app_method(declared, handler, sessions)


def _missing(declared: Declaration, asked: msgspec.Struct, noun: str) -> AppError:
    """The method's own code for an id without a row, with the id where the code names it."""
    code = declared.errors[-1]
    name, *_ = asked.__struct_fields__
    named = {} if code == "not_found" else {name: getattr(asked, name)}
    listed = declared.name.replace(".detail", ".list")
    return AppError(code, f"there is no {noun} with this {name}; see {listed}", **named)


def _given(text: str | UnsetType) -> str | None:
    return None if text is UNSET else text
