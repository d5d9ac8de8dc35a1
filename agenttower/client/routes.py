"""Routes, as methods of a client."""

from __future__ import annotations

from typing import Any, cast

from agenttower.client.asking import CALL_SECONDS, Ask
from agenttower.client.shapes import Route


class Routes:
    """``client.routes``: rules that turn events into prompts."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def add(self, event_type: str, template: str, *, target_rule: str, **more: Any) -> Route:
        """Make a route; it never fires on events that exist already.

        :param target_rule: ``explicit``, ``source`` or ``role``.
        :param more: ``target_value``, ``source_scope_kind``, ``source_scope_value``,
            ``master_rule``, ``master_value``.
        """
        said = {"event_type": event_type, "template": template, "target_rule": target_rule, **more}
        return cast(Route, self._ask("routes.add", said, CALL_SECONDS))

    def list(self, *, enabled_only: bool = False) -> list[Route]:
        """All routes, the oldest first."""
        answer = self._ask("routes.list", {"enabled_only": enabled_only}, CALL_SECONDS)
        return cast("list[Route]", answer["routes"])

    def get(self, route_id: str) -> Route:
        """One route, and what it has done."""
        return cast(Route, self._ask("routes.show", {"route_id": route_id}, CALL_SECONDS))

    def remove(self, route_id: str) -> dict[str, Any]:
        """Delete it; its prompts stay."""
        return self._ask("routes.remove", {"route_id": route_id}, CALL_SECONDS)

    def enable(self, route_id: str) -> dict[str, Any]:
        """Let it go on where it stands."""
        return self._ask("routes.enable", {"route_id": route_id}, CALL_SECONDS)

    def disable(self, route_id: str) -> dict[str, Any]:
        """Stop it where it stands."""
        return self._ask("routes.disable", {"route_id": route_id}, CALL_SECONDS)

    def preview(self, event_id: int, route_id: str) -> dict[str, Any]:
        """What it would make of an event; nothing is written."""
        params = {"event_id": event_id, "route_id": route_id}
        return self._ask("routes.preview", params, CALL_SECONDS)
