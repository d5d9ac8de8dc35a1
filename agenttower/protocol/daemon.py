"""``ping``, ``status`` and ``shutdown`` (legacy surfaces part 1, section 5; part 2, section 13)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from agenttower.domain.prompts import BlockReason
from agenttower.domain.route_decision import SkipReason
from agenttower.domain.states import State
from agenttower.protocol.declaration import Declaration, Gate, NoParams
from agenttower.protocol.managed_results import Attention
from agenttower.protocol.values import AgentId, ContainerId, Count, Time, Uuid


class Nothing(msgspec.Struct, frozen=True):
    """An empty object."""


class ShuttingDown(msgspec.Struct, frozen=True):
    """The daemon stops once this has been sent."""

    shutting_down: Literal[True]


class Worker(msgspec.Struct, frozen=True):
    """The worker process that was last heard of (additive)."""

    alive: bool
    pid: int | None
    heartbeat_at: Time | None


class FailingLog(msgspec.Struct, frozen=True):
    """A log that cannot be read."""

    attachment_id: str
    agent_id: AgentId
    error_class: str
    since: Time


class EventsReader(msgspec.Struct, frozen=True):
    """The readers of logs; ``attachments_in_failure`` is empty for whom it does not concern."""

    running: bool
    last_cycle_started_at: Time | None
    last_cycle_duration_ms: int | None
    active_attachments: Count
    attachments_in_failure: list[FailingLog]
    lag_bytes: Annotated[int, Meta(ge=0, description="read behind the logs by; additive")]


class BufferedLog(msgspec.Struct, frozen=True):
    """A log with events that the database did not take."""

    attachment_id: str
    agent_id: AgentId
    buffered_count: Count
    last_error_class: str


class DegradedSqlite(msgspec.Struct, frozen=True):
    """Events wait for the database."""

    since: Time
    buffered_attachments: list[BufferedLog]


class DegradedJsonl(msgspec.Struct, frozen=True):
    """Events wait for ``events.jsonl``."""

    since: Time | None
    pending_event_count: Count
    last_error_class: str


class EventsPersistence(msgspec.Struct, frozen=True):
    """Where events wait to be kept."""

    degraded_sqlite: DegradedSqlite | None
    degraded_jsonl: DegradedJsonl | None


class StalledRoute(msgspec.Struct, frozen=True):
    """The route with the most events behind its cursor."""

    route_id: Uuid
    lag: Annotated[int, Meta(ge=1)]


class RoutingStatus(msgspec.Struct, frozen=True):
    """The kill switch and the routes."""

    value: Literal["enabled", "disabled"]
    last_updated_at: Time
    last_updated_by: str
    routes_total: Count
    routes_enabled: Count
    routes_disabled: Count
    last_routing_cycle_at: Time | None
    events_consumed_total: Count
    skips_by_reason: dict[SkipReason, int]
    most_stalled_route: StalledRoute | None
    routing_worker_degraded: bool
    degraded_routing_audit_persistence: bool
    last_heartbeat_at: Annotated[Time | None, Meta(description="additive")]


class QueueAudit(msgspec.Struct, frozen=True):
    """Audit lines of the queue that wait for ``events.jsonl``."""

    degraded: bool
    pending_rows: Count
    last_failure_exc_class: str | None


class BenchStatus(msgspec.Struct, frozen=True):
    """A container with something of ours in it, or that runs."""

    container_id: ContainerId
    name: str
    status: str
    active: bool
    agents: Count
    layouts: Count
    last_scanned_at: Time


class Benches(msgspec.Struct, frozen=True):
    """Containers."""

    active: Count
    inactive: Count
    items: list[BenchStatus]


class Steps(msgspec.Struct, frozen=True):
    """Steps of operations that are not done."""

    pending: Count
    running: Count


class WaitingPane(Attention, frozen=True):
    """A pane that waits for a person."""

    agent_id: AgentId
    container_id: ContainerId
    label: str
    origin: Literal["managed", "adopted"]


class Waiting(msgspec.Struct, frozen=True):
    """Panes that wait for a person."""

    count: Count
    panes: list[WaitingPane]


class QueueStatus(msgspec.Struct, frozen=True):
    """Prompts that are not final."""

    queued: Count
    in_flight: Count
    blocked: Count
    blocked_by_reason: dict[BlockReason, int]
    oldest_queued_at: Time | None
    oldest_queued_seconds: int | None


class LaggingRoute(msgspec.Struct, frozen=True):
    """An enabled route with events behind its cursor."""

    route_id: Uuid
    event_type: str
    lag: Annotated[int, Meta(ge=1)]
    braked_until: Time | None


class Trouble(msgspec.Struct, frozen=True):
    """One thing that is not as it should be, and what to do."""

    subsystem: str
    subject: str | None
    since: Time | None
    reason: str
    advice: str


class Status(msgspec.Struct, frozen=True):
    """The first eight members are the contract's base, then come its four blocks with ``worker``
    before them; the rest is additive, and for the host alone."""

    alive: Literal[True]
    pid: Annotated[int, Meta(ge=1)]
    start_time_utc: Time
    uptime_seconds: Count
    socket_path: str
    state_path: str
    schema_version: Annotated[int, Meta(ge=1)]
    daemon_version: str
    worker: Worker
    events_reader: EventsReader
    events_persistence: EventsPersistence
    routing: RoutingStatus
    queue_audit: QueueAudit
    benches: Benches | UnsetType = UNSET
    layouts: Annotated[
        dict[State, int] | UnsetType, Meta(description="how many are in each state")
    ] = UNSET
    steps: Steps | UnsetType = UNSET
    attention: Waiting | UnsetType = UNSET
    queue: QueueStatus | UnsetType = UNSET
    lagging_routes: list[LaggingRoute] | UnsetType = UNSET
    file_problems: list[str] | UnsetType = UNSET
    degraded: list[Trouble] | UnsetType = UNSET


PING = Declaration(
    name="ping",
    summary="Does anybody answer?",
    gate=Gate.OPEN,
    params=NoParams,
    result=Nothing,
)
STATUS = Declaration(
    name="status",
    summary="The daemon, its worker, counts, and what is not as it should be.",
    gate=Gate.ANYONE,
    params=NoParams,
    result=Status,
)
SHUTDOWN = Declaration(
    name="shutdown",
    summary="Stop the front end.",
    gate=Gate.HOST,
    params=NoParams,
    result=ShuttingDown,
)
