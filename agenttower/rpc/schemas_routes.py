"""How ``params`` of ``routes.*`` are read (legacy surfaces part 2, section 10)."""

from __future__ import annotations

from collections.abc import Callable

from agenttower.domain.route_rules import Rule
from agenttower.errors import BadRequest
from agenttower.protocol.routes import AddRoute, PreviewRoute
from agenttower.rpc.method import Params
from agenttower.rpc.schemas_prompts import complete


def rule_of(wanted: AddRoute) -> Rule:
    """What the route shall say."""
    return Rule(**{name: getattr(wanted, name) for name in Rule.__dataclass_fields__})


def preview(struct: type[PreviewRoute]) -> Callable[[Params], PreviewRoute]:
    """The decoder of ``routes.preview``.

    It raises :class:`BadRequest` where of ``route_id`` and ``route`` not exactly one is given.
    """
    shape = complete(struct)

    def decode(params: Params) -> PreviewRoute:
        wanted = shape(params)
        if (wanted.route_id is None) == (wanted.route is None):
            raise BadRequest("give either route_id, a route that exists, or route, a description")
        return wanted

    return decode
