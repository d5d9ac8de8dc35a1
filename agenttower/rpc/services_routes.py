"""What the ``routes.*`` methods need of their service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from agenttower.domain.route_rules import Rule
from agenttower.services.caller import Caller
from agenttower.services.pane_claims import PaneClaim
from agenttower.store.routes import RouteRecord

Document = Mapping[str, object]


class Routes(Protocol):
    """See :class:`agenttower.services.routes.RouteService`."""

    def add(self, caller: Caller, rule: Rule, claim: PaneClaim | None) -> Document: ...

    def listing(self, caller: Caller, *, enabled_only: bool) -> Document: ...

    def show(self, caller: Caller, route_id: str) -> Document: ...

    def remove(self, caller: Caller, route_id: str, claim: PaneClaim | None) -> Document: ...

    def take_away(
        self, caller: Caller, route_id: str, claim: PaneClaim | None = None
    ) -> RouteRecord: ...

    def switch(
        self, caller: Caller, route_id: str, *, enabled: bool, claim: PaneClaim | None
    ) -> Document: ...

    def preview(
        self, caller: Caller, event_id: int, *, route_id: str | None, rule: Rule | None
    ) -> Document: ...
