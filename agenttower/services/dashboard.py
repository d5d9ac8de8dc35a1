"""``app.dashboard``: a home view in one call (app surface, section 11).

Read anew at each call, one question after another and without a lock. A question that fails costs
its own numbers and no other, and is told as ill health of ``sqlite``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from agenttower.clock import MILLISECOND, Clock, Micros, to_millis
from agenttower.domain.hints import Stock
from agenttower.domain.readiness import Health, Subsystem, SubsystemHealth
from agenttower.domain.recommendation import Recommendation, State, recommend
from agenttower.protocol.app.dashboard import (
    SKIP_WINDOW_MS,
    AgentBuckets,
    AgentCounts,
    AttachmentCounts,
    ContainerCounts,
    Counts,
    Dashboard,
    EventCounts,
    PaneBuckets,
    PaneCounts,
    QueueCounts,
    Recent,
    RecommendationTarget,
    RecommendedAction,
    RoleCounts,
    RouteCounts,
)
from agenttower.services import recent
from agenttower.services.readiness import ReadinessService, hint_rows
from agenttower.store import app_counts, app_recent, routes

log = logging.getLogger(__name__)

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)


class DashboardService:
    """Puts the dashboard together."""

    def __init__(
        self,
        readiness: ReadinessService,
        clock: Clock,
        recommend: Callable[[State], Recommendation] = recommend,
    ) -> None:
        self._readiness = readiness
        self._clock = clock
        self._recommend = recommend

    def dashboard(self, recent_limit: int, asked_at: float, *, final: bool) -> Dashboard | None:
        """The answer of ``app.dashboard``.

        :param recent_limit: so many rows of each kind at most.
        :return: ``None`` while the engine thinks; see :meth:`ReadinessService.rows`, which has
            the same arguments.
        """
        rows = self._readiness.rows(asked_at, final=final)
        return (
            None
            if rows is None
            else _Reading(self._clock()).dashboard(rows, recent_limit, self._recommend)
        )


class _Reading:
    """One call: what is read for it, and whether all of it could be."""

    def __init__(self, now: Micros) -> None:
        self._now = now
        self._failed = False

    def dashboard(
        self,
        rows: Sequence[SubsystemHealth],
        limit: int,
        recommend: Callable[[State], Recommendation],
    ) -> Dashboard:
        counts = self._counts()
        shown = Recent(
            events=self._read(lambda: recent.events(app_recent.events(limit)), []),
            queue=self._read(lambda: recent.prompts(app_recent.prompts(limit)), []),
            routes=self._read(lambda: recent.routes(app_recent.routes(limit)), []),
        )
        action = self._action(rows, counts, recommend)
        return Dashboard(
            counts=counts,
            recent=shown,
            hints=hint_rows(_stock(rows, counts)),
            recommended_next_action=action,
            recommended_next_action_refreshed_at=None if action is None else to_millis(self._now),
        )

    def _read(self, ask: Callable[[], T], otherwise: T) -> T:
        try:
            return ask()
        except Exception as error:
            self._failed = True
            log.warning("the dashboard lacks a number: %s: %s", type(error).__name__, error)
            return otherwise

    def _counts(self) -> Counts:
        agents = self._read(_agents, AgentCounts())
        return Counts(
            containers=self._read(
                lambda: _by_name(ContainerCounts, app_counts.containers()), ContainerCounts()
            ),
            panes=self._read(_panes, PaneCounts()),
            agents=agents,
            log_attachments=self._read(lambda: _attachments(agents), AttachmentCounts()),
            events=self._read(lambda: EventCounts(app_counts.events()), EventCounts()),
            queue=self._read(lambda: _by_name(QueueCounts, app_counts.prompts()), QueueCounts()),
            routes=self._read(self._routes, RouteCounts()),
        )

    def _routes(self) -> RouteCounts:
        total, enabled = routes.counts()
        skipped = app_counts.route_skips(self._now - SKIP_WINDOW_MS * MILLISECOND, self._now)
        return RouteCounts(enabled, total - enabled, skipped)

    def _action(
        self,
        rows: Sequence[SubsystemHealth],
        counts: Counts,
        recommend: Callable[[State], Recommendation],
    ) -> RecommendedAction | None:
        try:
            first_active = self._read(app_counts.first_active_container, None)
            first_adoptable = self._read(app_counts.first_adoptable_pane, None)
            oldest_blocked = self._read(app_counts.oldest_blocked, None)
            unwell = {row.name for row in rows if row.status is not Health.OK}
            found = recommend(
                State(
                    unwell=sorted(unwell | ({Subsystem.SQLITE} if self._failed else set())),
                    containers=sum(msgspec.structs.astuple(counts.containers)),
                    first_active_container=first_active,
                    panes=counts.panes.total + counts.agents.by_state.active,
                    unadopted_panes=counts.panes.by_state.discovered_and_unmanaged,
                    first_adoptable_pane=first_adoptable,
                    blocked=counts.queue.blocked,
                    oldest_blocked=oldest_blocked,
                    routes=counts.routes.enabled + counts.routes.disabled,
                )
            )
        except Exception:
            log.warning("app_dashboard_recommendation_compute_failed", exc_info=True)
            return None
        to = found.target
        target = None if to is None else RecommendationTarget(to.kind, to.id)
        return RecommendedAction(found.code, found.title, found.detail, target)


def _panes() -> PaneCounts:
    count = app_counts.panes()
    return PaneCounts(
        total=count.total,
        registered=count.registered,
        unregistered=count.total - count.registered,
        by_state=_by_name(PaneBuckets, count.buckets),
    )


def _agents() -> AgentCounts:
    count = app_counts.agents()
    return AgentCounts(
        total=count.total,
        by_role=_by_name(RoleCounts, count.roles),
        by_state=_by_name(AgentBuckets, {**count.buckets, **count.logs}),
    )


def _attachments(agents: AgentCounts) -> AttachmentCounts:
    active, stale = app_counts.attachments()
    return AttachmentCounts(active, stale, max(0, agents.total - active - stale))


def _by_name(struct: type[S], counts: Any) -> S:
    """A struct of counts from a mapping by the names that they have on the wire."""
    return msgspec.convert({str(name): number for name, number in counts.items()}, struct)


def _stock(rows: Sequence[SubsystemHealth], counts: Counts) -> Stock:
    return Stock(
        docker=next(row.status for row in rows if row.name is Subsystem.DOCKER),
        running_containers=counts.containers.active + counts.containers.degraded_scan,
        panes=counts.panes.total,
        agents=counts.agents.total,
        active_logs=counts.log_attachments.active,
        enabled_routes=counts.routes.enabled,
    )
