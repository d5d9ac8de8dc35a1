"""``app.dashboard`` (app surface, section 11): everything that a home view needs in one call."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from agenttower.domain.recommendation import RecommendationCode, TargetKind
from agenttower.protocol.app.entities import Iso, QueueState
from agenttower.protocol.app.readiness import HintRow
from agenttower.protocol.declaration import Declaration, Gate

SKIP_WINDOW_MS: Literal[300000] = 300_000

Count = Annotated[int, msgspec.Meta(ge=0)]
Summary = Annotated[str, msgspec.Meta(max_length=256)]


class DashboardParams(msgspec.Struct, frozen=True):
    recent_limit: Annotated[int, msgspec.Meta(ge=1, le=50)] = 10


class ContainerCounts(msgspec.Struct, frozen=True):
    """Stored containers by state."""

    active: Count = 0
    inactive: Count = 0
    degraded_scan: Count = 0


class PaneBuckets(msgspec.Struct, frozen=True, rename=lambda name: name.replace("_", "-")):
    """Section 11.3: each stored pane falls into one, so they sum to ``total``."""

    discovered_and_unmanaged: Count = 0
    discovered_and_registered: Count = 0
    inactive_or_stale: Count = 0
    discovery_degraded: Count = 0


class PaneCounts(msgspec.Struct, frozen=True):
    total: Count = 0
    registered: Count = 0
    unregistered: Count = 0
    by_state: PaneBuckets = PaneBuckets()


class RoleCounts(msgspec.Struct, frozen=True):
    master: Count = 0
    slave: Count = 0
    swarm: Count = 0
    test_runner: Count = msgspec.field(default=0, name="test-runner")
    shell: Count = 0
    unknown: Count = 0


class AgentBuckets(msgspec.Struct, frozen=True):
    """Section 11.4: the first three sum to ``total``, and so do the last two."""

    active: Count = 0
    inactive: Count = 0
    partially_configured: Count = 0
    log_attached: Count = msgspec.field(default=0, name="log-attached")
    log_detached: Count = msgspec.field(default=0, name="log-detached")


class AgentCounts(msgspec.Struct, frozen=True):
    total: Count = 0
    by_role: RoleCounts = RoleCounts()
    by_state: AgentBuckets = AgentBuckets()


class AttachmentCounts(msgspec.Struct, frozen=True):
    active: Count = 0
    degraded: Count = 0
    none: Count = 0


class EventCounts(msgspec.Struct, frozen=True):
    total: Count = 0


class QueueCounts(msgspec.Struct, frozen=True):
    queued: Count = 0
    blocked: Count = 0
    delivered: Count = 0
    canceled: Count = 0
    failed: Count = 0


class RouteCounts(msgspec.Struct, frozen=True):
    enabled: Count = 0
    disabled: Count = 0
    recently_skipped_count: Count = 0
    recently_skipped_window_ms: Literal[300000] = SKIP_WINDOW_MS


class Counts(msgspec.Struct, frozen=True):
    containers: ContainerCounts
    panes: PaneCounts
    agents: AgentCounts
    log_attachments: AttachmentCounts
    events: EventCounts
    queue: QueueCounts
    routes: RouteCounts


class RecentEvent(msgspec.Struct, frozen=True):
    id: int
    timestamp: Iso
    type: str
    origin: str
    agent_id: str
    summary: Summary


class RecentMessage(msgspec.Struct, frozen=True):
    id: str
    timestamp: Iso
    type: Literal["direct", "route"]
    state: QueueState
    state_priority: int
    target_agent_id: str
    summary: Summary


class RecentRoute(msgspec.Struct, frozen=True):
    id: str
    timestamp: Iso
    enabled: bool
    summary: Summary
    type: Literal["route"] = "route"


class Recent(msgspec.Struct, frozen=True):
    """The newest first, at most ``recent_limit`` of each."""

    events: list[RecentEvent]
    queue: list[RecentMessage]
    routes: list[RecentRoute]


class RecommendationTarget(msgspec.Struct, frozen=True):
    kind: TargetKind
    id: str


class RecommendedAction(msgspec.Struct, frozen=True):
    code: RecommendationCode
    title: Annotated[str, msgspec.Meta(max_length=128)]
    detail: Annotated[str, msgspec.Meta(max_length=512)] | None
    target: RecommendationTarget | None


class Dashboard(msgspec.Struct, frozen=True):
    counts: Counts
    recent: Recent
    hints: list[HintRow]
    recommended_next_action: RecommendedAction | None
    recommended_next_action_refreshed_at: Iso | None
    """When it was made; null exactly where there is none."""


DASHBOARD = Declaration(
    name="app.dashboard",
    summary="Counts, recent rows, hints and the one thing to do next.",
    gate=Gate.HOST,
    params=DashboardParams,
    result=Dashboard,
    errors=("validation_failed",),
    session=True,
)
