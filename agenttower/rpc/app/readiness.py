"""``app.readiness`` (app surface, section 10)."""

from __future__ import annotations

from typing import Any

from agenttower.protocol.app.readiness import READINESS
from agenttower.protocol.declaration import NoParams
from agenttower.rpc.app.binding import InSession, app_method
from agenttower.rpc.app.sessions import AppSessions
from agenttower.rpc.method import Call, Method, Pending, Result
from agenttower.rpc.services import Services
from agenttower.services.engine_probe import ANSWER_S


def readiness_methods(services: Services, sessions: AppSessions) -> dict[str, Method[Any]]:
    """Readiness over one set of services; an engine that hangs holds no thread."""

    def readiness(call: Call[InSession[NoParams]]) -> Result | Pending:
        found = services.readiness.readiness(call.asked_at, final=call.final)
        return Pending(call.asked_at + ANSWER_S) if found is None else found

    return {READINESS.name: app_method(READINESS, readiness, sessions)}
