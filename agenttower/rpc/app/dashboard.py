"""``app.dashboard`` (app surface, section 11)."""

from __future__ import annotations

import logging
import time
from typing import Any

from agenttower.errors import ValidationFailed
from agenttower.protocol.app.dashboard import DASHBOARD, DashboardParams
from agenttower.protocol.declaration import Params
from agenttower.rpc.app.binding import InSession, app_method
from agenttower.rpc.app.decode import app_params
from agenttower.rpc.app.sessions import AppSessions
from agenttower.rpc.method import Call, Method, Pending, Result
from agenttower.rpc.services import Services
from agenttower.services.engine_probe import ANSWER_S

log = logging.getLogger(__name__)

BUDGET_MS = 500


def dashboard_methods(services: Services, sessions: AppSessions) -> dict[str, Method[Any]]:
    """The dashboard over one set of services; an engine that hangs holds no thread."""

    def dashboard(call: Call[InSession[DashboardParams]]) -> Result | Pending:
        limit = call.params.params.recent_limit
        found = services.dashboard.dashboard(limit, call.asked_at, final=call.final)
        if found is None:
            return Pending(call.asked_at + ANSWER_S)
        took_ms = round((time.monotonic() - call.asked_at) * 1000)
        if took_ms > BUDGET_MS:
            log.warning(
                "app_dashboard_latency_exceeded latency_ms=%d budget_ms=%d", took_ms, BUDGET_MS
            )
        return found

    return {DASHBOARD.name: app_method(DASHBOARD, dashboard, sessions, decode=decode_dashboard)}


def decode_dashboard(params: Params) -> DashboardParams:
    """Check ``recent_limit``. :raises ValidationFailed: in the contract's words."""
    try:
        return _decode(params)
    except ValidationFailed as error:
        given = params.get("recent_limit")
        if isinstance(given, int) and not isinstance(given, bool):
            raise ValidationFailed("recent_limit", "out of bounds [1,50]") from error
        raise ValidationFailed("recent_limit", "must be an integer") from error


_decode = app_params(DashboardParams)
