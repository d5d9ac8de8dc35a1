"""The shapes of ``params`` of ``routes.*`` (legacy surfaces part 2, section 10)."""

from __future__ import annotations

import msgspec

from agenttower.domain.route_rules import Rule
from agenttower.errors import BadRequest
from agenttower.rpc.method import Params
from agenttower.rpc.schemas import RowNumber
from agenttower.rpc.schemas_prompts import CallerPane, complete
from agenttower.services.pane_claims import PaneClaim


class AddRoute(msgspec.Struct, frozen=True):
    """``routes.add``."""

    event_type: str
    target_rule: str
    template: str
    source_scope_kind: str = "any"
    source_scope_value: str | None = None
    target_value: str | None = None
    master_rule: str = "auto"
    master_value: str | None = None
    caller_pane: CallerPane | None = None

    @property
    def rule(self) -> Rule:
        """What the route shall say."""
        return Rule(**{name: getattr(self, name) for name in Rule.__dataclass_fields__})


class ListRoutes(msgspec.Struct, frozen=True):
    """``routes.list``."""

    enabled_only: bool = False


class ShowRoute(msgspec.Struct, frozen=True):
    """``routes.show``."""

    route_id: str


class ChangeRoute(msgspec.Struct, frozen=True):
    """``routes.remove``, ``routes.enable`` and ``routes.disable``."""

    route_id: str
    caller_pane: CallerPane | None = None


class PreviewRoute(msgspec.Struct, frozen=True):
    """``routes.preview``, additive: an existing route, or one that is described as for ``add``."""

    event_id: RowNumber
    route_id: str | None = None
    route: AddRoute | None = None


def claim_of(pane: CallerPane | None) -> PaneClaim | None:
    """What the client says it speaks for."""
    return None if pane is None else pane.claim


def preview(params: Params) -> PreviewRoute:
    """Decode ``routes.preview``.

    :raises BadRequest: of ``route_id`` and ``route`` not exactly one is given.
    """
    wanted = complete(PreviewRoute)(params)
    if (wanted.route_id is None) == (wanted.route is None):
        raise BadRequest("give either route_id, a route that exists, or route, a description")
    return wanted
