"""Routes: making, showing, switching and removing them (legacy surfaces part 2, sections 9, 10).

A change and the audit line that tells of it commit together. What a caller in a bench makes is
confined to that bench: its events, its masters, its targets; and it sees no other routes (R12).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from peewee import IntegrityError

from agenttower.clock import Clock, to_millis, to_millis_or_none
from agenttower.domain.attribution import NOBODY, Attribution
from agenttower.domain.prompts import HOST_OPERATOR
from agenttower.domain.route_decision import Matched, concerns, decide
from agenttower.domain.route_rules import Rule, check_rule
from agenttower.errors import EventNotFound, RouteCreationFailed, RouteNotFound, TooManyRoutes
from agenttower.services.caller import Caller
from agenttower.services.pane_claims import PaneClaim, operator
from agenttower.services.routing import SUBSYSTEM, braked_until, decision_line
from agenttower.settings import RoutingRules
from agenttower.store import routes, routing, subsystems
from agenttower.store.database import DatabaseBusy, Store, Transaction
from agenttower.store.routes import RouteRecord

MAX_ROUTES = 1000
MAX_ROUTES_OF_A_BENCH = 100
DAEMON = "(daemon)"
"""Who deletes a route because its agent's pane was removed."""


class RouteService:
    """The service behind ``routes.*``."""

    def __init__(
        self, store: Store, rules: RoutingRules, clock: Clock, wake: Callable[[], None]
    ) -> None:
        self._store = store
        self._rules = rules
        self._clock = clock
        self._wake = wake

    def add(self, caller: Caller, rule: Rule, claim: PaneClaim | None = None) -> dict[str, Any]:
        """Make a route; it never fires on events that exist already.

        :param claim: the pane that the caller speaks for, where it is on one.
        :raises AgentTowerError: the first problem in the order of section 10.1, or the claim is
            not true.
        """
        scope = caller.scope
        check_rule(rule)
        now = self._clock()
        try:
            with self._store.transaction() as transaction:
                _check_room(scope)
                route = RouteRecord(
                    route_id=str(uuid.uuid4()),
                    event_type=rule.event_type,
                    source_scope_kind=rule.source_scope_kind,
                    source_scope_value=rule.source_scope_value,
                    target_rule=rule.target_rule,
                    target_value=rule.target_value,
                    master_rule=rule.master_rule,
                    master_value=rule.master_value,
                    template=rule.template,
                    enabled=True,
                    last_consumed_event_id=routes.newest_event_id(),
                    events_consumed=0,
                    last_cycle_at=None,
                    last_skip_reason=None,
                    last_skip_at=None,
                    created_at=now,
                    updated_at=now,
                    created_by_agent_id=_author(caller, claim),
                    container_id=scope,
                )
                routes.add(route)
                line = {**_created(route), **caller.attribution}
                self._tell(transaction, "route_created", line)
        except (IntegrityError, DatabaseBusy) as error:
            raise RouteCreationFailed(
                f"the route could not be stored ({error}); nothing was written, try again"
            ) from error
        return route_view(route)

    def listing(self, caller: Caller, *, enabled_only: bool) -> dict[str, Any]:
        """``routes.list``."""
        found = routes.listing(enabled_only=enabled_only, scope=caller.scope)
        return {"routes": [route_view(route) for route in found]}

    def show(self, caller: Caller, route_id: str) -> dict[str, Any]:
        """``routes.show``: the route and what it has done.

        :raises RouteNotFound: there is none, or none of the caller's bench.
        """
        route = _find(caller, route_id)
        return {
            **route_view(route),
            "runtime": {
                "last_routing_cycle_at": to_millis_or_none(_last_cycle_at(route)),
                "events_consumed": route.events_consumed,
                "last_skip_reason": route.last_skip_reason,
                "last_skip_at": to_millis_or_none(route.last_skip_at),
                "lag": routes.lag(route),
                "braked_until": to_millis_or_none(
                    braked_until(route.route_id, self._rules, self._clock())
                ),
            },
        }

    def remove(
        self, caller: Caller, route_id: str, claim: PaneClaim | None = None
    ) -> dict[str, Any]:
        """``routes.remove``: delete it; its prompts and lines stay.

        :raises RouteNotFound: there is none, or none of the caller's bench.
        """
        return self._done(self.take_away(caller, route_id, claim), "removed")

    def take_away(
        self, caller: Caller, route_id: str, claim: PaneClaim | None = None
    ) -> RouteRecord:
        """As :meth:`remove`, for who wants to see the route as it was last."""
        with self._store.transaction() as transaction:
            route = _find(caller, route_id)
            self._delete(transaction, route, _author(caller, claim), caller.attribution)
        return route

    def switch(
        self, caller: Caller, route_id: str, *, enabled: bool, claim: PaneClaim | None = None
    ) -> dict[str, Any]:
        """``routes.enable`` and ``routes.disable``; the same again writes nothing.

        :raises RouteNotFound: there is none, or none of the caller's bench.
        """
        with self._store.transaction() as transaction:
            route = _find(caller, route_id)
            if route.enabled != enabled:
                routes.set_enabled(route, enabled, _last_cycle_at(route), self._clock())
                self._tell(
                    transaction,
                    "route_updated",
                    {
                        "route_id": route_id,
                        "change": {"enabled": enabled},
                        "updated_by_agent_id": _author(caller, claim),
                        **caller.attribution,
                    },
                )
        return self._done(route, "enabled" if enabled else "disabled")

    def agent_removed(self, transaction: Transaction, agent_id: str) -> int:
        """Delete the routes that name an agent whose pane is removed, in the removal's transaction.

        Routes that name a role or a label stay: they find the successor.

        :return: how many were deleted.
        """
        named = routes.naming(agent_id)
        for route in named:
            self._delete(transaction, route, DAEMON, NOBODY)
        return len(named)

    def preview(
        self, caller: Caller, event_id: int, *, route_id: str | None, rule: Rule | None
    ) -> dict[str, Any]:
        """What a route would make of an event that exists; nothing is written.

        :param route_id: a route that exists; ``rule`` one that does not.
        :raises EventNotFound: there is no such event for the caller.
        :raises AgentTowerError: the route is not there, or not well said.
        """
        scope = caller.scope
        route = None if route_id is None else _find(caller, route_id)
        rule = route.rule if route is not None else rule
        assert rule is not None, "the schema asks for one of the two"
        check_rule(rule)
        event = routing.event(event_id)
        if event is None or scope not in (None, event.container_id):
            raise EventNotFound(event_id)
        named = [event.agent_id, rule.target_value or "", rule.master_value or ""]
        agents = routing.registry(named, scope=scope if route is None else route.container_id)
        told: dict[str, Any] = {"event_id": event_id, "route_id": route_id, "text": None}
        heeded = event.event_type == rule.event_type and (
            concerns(rule, event.agent_id, agents.by_id(event.agent_id))
            and (route is None or route.container_id in (None, event.container_id))
        )
        if not heeded:
            return {**told, "decision": "not_concerned"}
        outcome = decide(rule, event, agents)
        matched = isinstance(outcome, Matched)
        return {
            **told,
            **decision_line(event, outcome),
            "decision": "matched" if matched else "skipped",
            "text": outcome.text if isinstance(outcome, Matched) else None,
        }

    # --- both ------------------------------------------------------------------------------------

    def _delete(
        self,
        transaction: Transaction,
        route: RouteRecord,
        by: str | None,
        attribution: Attribution,
    ) -> None:
        routes.remove(route.route_id)
        line = {"route_id": route.route_id, "deleted_by_agent_id": by, **attribution}
        self._tell(transaction, "route_deleted", line)

    def _tell(
        self, transaction: Transaction, event_type: str, members: Mapping[str, object]
    ) -> None:
        routing.append_line(event_type, members, self._clock(), actor="operator")
        transaction.afterwards("readers", self._wake)

    def _done(self, route: RouteRecord, operation: str) -> dict[str, Any]:
        return {
            "route_id": route.route_id,
            "operation": operation,
            "at": to_millis(self._clock()),
        }


def route_view(route: RouteRecord) -> dict[str, Any]:
    """The route object of section 10; ``container_id`` only where it confines the route."""
    shown: dict[str, Any] = {
        "route_id": route.route_id,
        "event_type": route.event_type,
        "source_scope": {"kind": route.source_scope_kind, "value": route.source_scope_value},
        "target_rule": route.target_rule,
        "target_value": route.target_value,
        "master_rule": route.master_rule,
        "master_value": route.master_value,
        "template": route.template,
        "enabled": route.enabled,
        "last_consumed_event_id": route.last_consumed_event_id,
        "created_at": to_millis(route.created_at),
        "updated_at": to_millis(route.updated_at),
        "created_by_agent_id": route.created_by_agent_id,
    }
    return shown if route.container_id is None else {**shown, "container_id": route.container_id}


def _created(route: RouteRecord) -> dict[str, object]:
    """The members of ``route_created``."""
    return {
        "route_id": route.route_id,
        "event_type_subscribed": route.event_type,
        "source_scope_kind": route.source_scope_kind,
        "source_scope_value": route.source_scope_value,
        "target_rule": route.target_rule,
        "target_value": route.target_value,
        "master_rule": route.master_rule,
        "master_value": route.master_value,
        "template": route.template,
        "created_by_agent_id": route.created_by_agent_id,
        "cursor_at_creation": route.last_consumed_event_id,
    }


def _check_room(scope: str | None) -> None:
    limit = MAX_ROUTES if scope is None else MAX_ROUTES_OF_A_BENCH
    standing = routes.count(scope)
    if standing >= limit:
        raise TooManyRoutes(
            f"{standing} routes exist and the limit is {limit}; remove one first "
            "(see 'agenttower route list')"
        )


def _find(caller: Caller, route_id: str) -> RouteRecord:
    scope = caller.scope
    route = routes.by_id(route_id)
    if route is None or scope not in (None, route.container_id):
        raise RouteNotFound(route_id)
    return route


def _author(caller: Caller, claim: PaneClaim | None) -> str | None:
    """Who asks: the agent of the claimed pane, else the operator; nobody known in a bench."""
    if claim is not None:
        return operator(caller, claim)
    return HOST_OPERATOR if caller.kind == "host" else None


def _last_cycle_at(route: RouteRecord) -> int | None:
    """When the worker last scanned this route: with every cycle while it is enabled."""
    said = subsystems.read(SUBSYSTEM)
    cycle = None if said is None else said[0].get("last_cycle_at")
    if route.enabled and cycle is not None and cycle >= route.updated_at:
        return int(cycle)
    return route.last_cycle_at
