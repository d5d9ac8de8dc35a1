"""How events become prompts: for each route, the events behind its cursor, one after another.

One transaction holds the decision, the prompt and the step of the cursor (legacy surfaces part 2,
section 11), so that an event is decided once however often the worker is killed. The unique index
on route and event stands behind that.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from peewee import IntegrityError

from agenttower.clock import SECOND, Clock, Micros
from agenttower.crashpoints import crash_point
from agenttower.domain.route_decision import (
    AgentFacts,
    EventFacts,
    Matched,
    Registry,
    RenderProblem,
    Skipped,
    SkipReason,
    concerns,
    decide,
    event_excerpt,
)
from agenttower.errors import AgentTowerError, BodyRefused
from agenttower.services.routing_tally import RoutingTally
from agenttower.settings import RoutingRules
from agenttower.store import routes, routing, subsystems
from agenttower.store.database import DatabaseBusy, Store, Transaction
from agenttower.store.routes import RouteRecord

log = logging.getLogger(__name__)

SUBSYSTEM = "routing"
SAY_AT_LEAST_EVERY: Micros = 10 * SECOND


@dataclass(frozen=True, slots=True)
class RoutedPrompt:
    """What a route asks the prompt queue to take."""

    route_id: str
    event_id: int
    master: AgentFacts
    target: AgentFacts
    text: str


Enqueue = Callable[[Transaction, RoutedPrompt], object]
"""Writes the prompt and its audit line, in the caller's transaction, with all checks of section
3.3; raises :class:`~agenttower.errors.BodyRefused` where the text cannot be sent."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a route's events came to."""

    passed: int
    """Events that lie behind the cursor now."""
    wait_until: Micros | None = None
    """The brake holds the next event until then."""
    ended: bool = False
    """The route is gone, disabled, or moved by somebody else."""


class Routing:
    """Works off the events of all routes; one at a time, in the worker."""

    def __init__(
        self,
        store: Store,
        enqueue: Enqueue,
        rules: RoutingRules,
        clock: Clock,
        wake: Callable[[], None],
        tally: RoutingTally,
    ) -> None:
        self._store = store
        self._enqueue = enqueue
        self._rules = rules
        self._clock = clock
        self._wake = wake
        self._tally = tally
        self._said: tuple[dict[str, Any], Micros] = ({}, 0)

    def cycle(self, stopped: Callable[[], bool] = lambda: False) -> Micros | None:
        """Look at every enabled route once, a batch of events each.

        :return: when to look again without being told; ``None``: when the bell rings.
        """
        looks: list[Micros] = []
        trouble: str | None = None
        for route in routes.with_work():
            if stopped():
                break
            try:
                again_at = self._work_off(route, stopped)
            except Exception as error:
                trouble = _trouble(route, error)
                again_at = self._clock() + round(self._rules.cycle_interval_seconds * SECOND)
            if again_at is not None:
                looks.append(again_at)
        self._tally.cycle(self._clock(), trouble)
        self._say()
        return min(looks, default=None)

    def _work_off(self, route: RouteRecord, stopped: Callable[[], bool]) -> Micros | None:
        """Decide one batch of a route's events."""
        size = self._rules.batch_size
        waiting = routing.events_after(route.event_type, route.last_consumed_event_id, size)
        more = len(waiting) == size
        while waiting and not stopped():
            look = self._look(route.route_id, waiting)
            if look.ended:
                return None
            if look.wait_until is not None:
                return look.wait_until
            waiting = waiting[look.passed :]
        return self._clock() if more else None

    def _look(self, route_id: str, waiting: Sequence[EventFacts]) -> Look:
        """Pass over what the route does not heed, and decide the first event that it does."""
        skipped: Skipped | None = None
        with self._store.transaction() as transaction:
            route = routes.by_id(route_id)
            if route is None or not route.enabled:
                return Look(0, ended=True)
            agents = routing.registry(_named(route, waiting), scope=route.container_id)
            passed, wait_until = 0, None
            for event in waiting:
                heeded = _heeds(route, event, agents)
                if heeded and (wait_until := self.braked_until(route)) is not None:
                    break
                passed += 1
                if heeded:
                    skipped = self._decide(transaction, route, event, agents)
                    break
            if passed:
                self._advance(route, passed, waiting[passed - 1].event_id, skipped)
                transaction.afterwards("readers", self._wake)
            crash_point("route_decision.committing")
        crash_point("route_decision.committed")
        self._tally.passed(passed, None if skipped is None else skipped.reason.value)
        return Look(passed, wait_until)

    def _advance(self, route: RouteRecord, passed: int, to: int, skipped: Skipped | None) -> None:
        told = None if skipped is None else (skipped.reason.value, self._clock())
        moved = routes.advance(route.route_id, passed, route.last_consumed_event_id, to, told)
        if not moved:
            raise RuntimeError(f"the cursor of route {route.route_id} would go back to {to}")

    def _decide(
        self, transaction: Transaction, route: RouteRecord, event: EventFacts, agents: Registry
    ) -> Skipped | None:
        """Write the decision and, where the event matches, its prompt; returns a skip."""
        outcome = decide(route.rule, event, agents)
        crash_point("route_decision.decided")
        if isinstance(outcome, Matched):
            try:
                # The line goes first: its place in the file is before the prompt's own.
                with self._store.savepoint():
                    self._tell("route_matched", route, event, outcome)
                    self._enqueue(
                        transaction,
                        RoutedPrompt(
                            route.route_id,
                            event.event_id,
                            outcome.master,
                            outcome.target,
                            outcome.text,
                        ),
                    )
                return None
            except BodyRefused as error:
                problem = RenderProblem(error.code)
                reason = SkipReason.TEMPLATE_RENDER_ERROR
                outcome = Skipped(reason, outcome.master, outcome.target, problem)
            except IntegrityError:
                if not routing.has_prompt(route.route_id, event.event_id):
                    raise
                log.error(
                    "route %s: event %d is a prompt already; going on behind it",
                    route.route_id,
                    event.event_id,
                    extra={"action": "routing_duplicate_insert"},
                )
                return None
        self._tell("route_skipped", route, event, outcome)
        return outcome

    def _tell(
        self, line: str, route: RouteRecord, event: EventFacts, outcome: Matched | Skipped
    ) -> None:
        told = {"route_id": route.route_id, **decision_line(event, outcome)}
        routing.append_line(line, told, self._clock())

    def braked_until(self, route: RouteRecord) -> Micros | None:
        """When a route that prompts too often may prompt again; ``None``: now."""
        return braked_until(route.route_id, self._rules, self._clock())

    def _say(self) -> None:
        """Tell ``status``: on change, and else now and then."""
        now = self._clock()
        document = self._tally.document()
        said, said_at = self._said
        if not _differs(document, said) and 0 <= now - said_at < SAY_AT_LEAST_EVERY:
            return
        try:
            with self._store.transaction():
                subsystems.write(SUBSYSTEM, document, now)
            self._said = (document, now)
        except AgentTowerError as error:
            log.warning("routing waits: %s", error.message, extra={"action": "routing_waits"})


def braked_until(route_id: str, rules: RoutingRules, now: Micros) -> Micros | None:
    """When a route may prompt again, after ``brake_prompts`` of them in ``brake_window_seconds``.

    A route whose prompts bring forth the events that it heeds would else run as fast as the
    machine. What waits is not lost: the cursor stays before it.
    """
    if not rules.brake_prompts:
        return None
    first = routing.prompted_at(route_id, rules.brake_prompts - 1)
    if first is None:
        return None
    until = first + round(rules.brake_window_seconds * SECOND)
    # A clock that was set back must not hold a route for longer than the window.
    return until if first <= now < until else None


def decision_line(event: EventFacts, outcome: Matched | Skipped) -> dict[str, object]:
    """What ``route_matched`` and ``route_skipped`` say; never the rendered text (section 12)."""
    master, target = outcome.master, outcome.target
    line: dict[str, object] = {
        "event_id": event.event_id,
        "winner_master_agent_id": None if master is None else master.agent_id,
        "target_agent_id": None if target is None else target.agent_id,
        "target_label": None if target is None else target.label,
        "reason": None,
        "event_excerpt": event_excerpt(event),
    }
    if isinstance(outcome, Skipped):
        line["reason"] = outcome.reason.value
        line["sub_reason"] = None if outcome.sub_reason is None else outcome.sub_reason.value
    return line


def _named(route: RouteRecord, waiting: Sequence[EventFacts]) -> set[str]:
    named = {event.agent_id for event in waiting}
    return named.union(v for v in (route.target_value, route.master_value) if v is not None)


def _heeds(route: RouteRecord, event: EventFacts, agents: Registry) -> bool:
    """A route of a bench sees that bench alone."""
    if route.container_id not in (None, event.container_id):
        return False
    return concerns(route.rule, event.agent_id, agents.by_id(event.agent_id))


def _differs(new: dict[str, Any], old: dict[str, Any]) -> bool:
    ticking = ("last_cycle_at", "cycles")
    return {k: v for k, v in new.items() if k not in ticking} != {
        k: v for k, v in old.items() if k not in ticking
    }


def _trouble(route: RouteRecord, error: Exception) -> str:
    """Nothing was written: the event is decided at a later look. Which of the internal tokens?"""
    if isinstance(error, DatabaseBusy):
        log.warning(
            "route %s waits: %s",
            route.route_id,
            error.message,
            extra={"action": "routing_sqlite_locked"},
        )
        return "routing_sqlite_locked"
    log.exception(
        "route %s failed at an event; trying again",
        route.route_id,
        extra={"action": "routing_internal_render_failure"},
    )
    return "routing_internal_render_failure"
