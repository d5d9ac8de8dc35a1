"""``app.managed_*``: the handlers of ``managed.*`` behind the gates of ``app.*``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agenttower.errors import AgentTowerError
from agenttower.protocol.app.managed import OF_MANAGED
from agenttower.rpc.app.binding import Handler, InSession, app_method
from agenttower.rpc.app.refusals import in_managed_words
from agenttower.rpc.app.sessions import AppSessions
from agenttower.rpc.method import Call, Method, Pending, Result
from agenttower.rpc.methods import lifecycle
from agenttower.rpc.methods import managed as layouts
from agenttower.rpc.services import Services


def managed_methods(services: Services, sessions: AppSessions) -> dict[str, Method[Any]]:
    """M1 to M9, over one set of services."""
    same = {**layouts.managed_methods(services), **lifecycle.lifecycle_methods(services)}
    return {
        ours.name: app_method(ours, _in_session(same[theirs.name]), sessions)
        for ours, theirs in OF_MANAGED
    }


def _in_session(method: Method[Any]) -> Handler:
    """Its handler, called with what it knows: the parameters without the session."""

    def run(call: Call[InSession[Any]]) -> Result | Pending:
        try:
            return method.handler(replace(call, params=call.params.params))
        except AgentTowerError as error:
            raise in_managed_words(error) from error

    return run
