"""Lists of the seven entities (app surface, sections 8 and 13).

Every filter is equality, and together they narrow; ``since`` and ``until`` are whole milliseconds,
both inclusive.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from agenttower.domain.agent_events import AgentEventType
from agenttower.domain.cursors import MAX_CURSOR
from agenttower.domain.list_filters import MAX_MILLIS
from agenttower.domain.list_orders import ORDERS
from agenttower.domain.permissions import Role
from agenttower.protocol.app import entities
from agenttower.protocol.declaration import Declaration, Gate

DEFAULT_LIMIT = 50
MAX_LIMIT = 200

Id = Annotated[str, msgspec.Meta(min_length=1)]
Moment = Annotated[int, msgspec.Meta(ge=0, le=MAX_MILLIS)]

ListedEvent = Literal[
    AgentEventType,
    "managed_layout_created",
    "managed_layout_state_changed",
    "managed_pane_created",
    "managed_pane_state_changed",
    "managed_pane_recreated",
    "managed_pane_removed",
    "managed_pane_pending_marker_set",
    "managed_pane_pending_marker_cleared",
    "managed_pane_launch_command_exited",
    "managed_pane_log_attach_failed",
    "managed_pane_restart_scheduled",
    "managed_pane_restart_stopped",
    "managed_layout_recovery_reattached",
    "managed_layout_recovery_failed",
]
"""The classifier's types and those of managed sessions."""


def _orders(entity: str) -> msgspec.Meta:
    """For people and schemas: what ``order_by`` may say; the service checks it."""
    ends = ("", ":asc", ":desc")
    named = [f"{field}{end}" for field in ORDERS[entity].fields for end in ends]
    return msgspec.Meta(extra_json_schema={"enum": named})


class Filters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What narrows a list; nothing where nothing is given."""


class ListParams(msgspec.Struct, frozen=True, kw_only=True):
    """Section 8.1. A subclass for each list adds its ``filters``, and says its orders."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT
    cursor_next: Annotated[str, msgspec.Meta(max_length=MAX_CURSOR)] | UnsetType = UNSET
    order_by: str | UnsetType = UNSET


class ListResult(msgspec.Struct, frozen=True, kw_only=True):
    """Section 8.2. Exactly one of the totals is there; both count all rows that pass the filters,
    ``total_estimate`` at least."""

    total: int | None
    total_estimate: int | None
    cursor_next: str | None
    ordering: str


# --- containers ----------------------------------------------------------------------------------


class ContainerFilters(Filters, frozen=True):
    state: entities.ContainerState | UnsetType = UNSET


class ContainerListParams(ListParams, frozen=True, kw_only=True):
    order_by: Annotated[str, _orders("container")] | UnsetType = UNSET
    filters: ContainerFilters = ContainerFilters()


class ContainerList(ListResult, frozen=True, kw_only=True):
    rows: list[entities.Container]


# --- panes ---------------------------------------------------------------------------------------


class PaneFilters(Filters, frozen=True):
    container_id: Id | UnsetType = UNSET
    registered: bool | UnsetType = UNSET


class PaneListParams(ListParams, frozen=True, kw_only=True):
    order_by: Annotated[str, _orders("pane")] | UnsetType = UNSET
    filters: PaneFilters = PaneFilters()


class PaneList(ListResult, frozen=True, kw_only=True):
    rows: list[entities.Pane]


# --- agents --------------------------------------------------------------------------------------


class AgentFilters(Filters, frozen=True):
    role: Role | UnsetType = UNSET
    capability: Id | UnsetType = UNSET
    container_id: Id | UnsetType = UNSET
    log_attached: bool | UnsetType = UNSET


class AgentListParams(ListParams, frozen=True, kw_only=True):
    order_by: Annotated[str, _orders("agent")] | UnsetType = UNSET
    filters: AgentFilters = AgentFilters()


class AgentList(ListResult, frozen=True, kw_only=True):
    rows: list[entities.Agent]


# --- log attachments -----------------------------------------------------------------------------


class LogAttachmentFilters(Filters, frozen=True):
    agent_id: Id | UnsetType = UNSET
    status: entities.AttachmentState | UnsetType = UNSET


class LogAttachmentListParams(ListParams, frozen=True, kw_only=True):
    order_by: Annotated[str, _orders("log_attachment")] | UnsetType = UNSET
    filters: LogAttachmentFilters = LogAttachmentFilters()


class LogAttachmentList(ListResult, frozen=True, kw_only=True):
    rows: list[entities.LogAttachment]


# --- events --------------------------------------------------------------------------------------


class EventFilters(Filters, frozen=True):
    event_type: ListedEvent | UnsetType = UNSET
    agent_id: Id | UnsetType = UNSET
    since: Moment | UnsetType = UNSET
    until: Moment | UnsetType = UNSET


class EventListParams(ListParams, frozen=True, kw_only=True):
    order_by: Annotated[str, _orders("event")] | UnsetType = UNSET
    filters: EventFilters = EventFilters()


class EventList(ListResult, frozen=True, kw_only=True):
    rows: list[entities.Event]


# --- the prompt queue ----------------------------------------------------------------------------


class QueueFilters(Filters, frozen=True):
    state: entities.QueueState | UnsetType = UNSET
    sender_agent_id: Id | UnsetType = UNSET
    target_agent_id: Id | UnsetType = UNSET
    since: Moment | UnsetType = UNSET
    until: Moment | UnsetType = UNSET


class QueueListParams(ListParams, frozen=True, kw_only=True):
    order_by: Annotated[str, _orders("queue")] | UnsetType = UNSET
    filters: QueueFilters = QueueFilters()


class QueueList(ListResult, frozen=True, kw_only=True):
    rows: list[entities.Message]


# --- routes --------------------------------------------------------------------------------------


class RouteFilters(Filters, frozen=True):
    enabled: bool | UnsetType = UNSET


class RouteListParams(ListParams, frozen=True, kw_only=True):
    order_by: Annotated[str, _orders("route")] | UnsetType = UNSET
    filters: RouteFilters = RouteFilters()


class RouteList(ListResult, frozen=True, kw_only=True):
    rows: list[entities.Route]


def _list(
    entity: str, summary: str, params: type[msgspec.Struct], result: type[msgspec.Struct]
) -> Declaration:
    return Declaration(
        name=f"app.{entity}.list",
        summary=summary,
        gate=Gate.HOST,
        params=params,
        result=result,
        errors=("validation_failed",),
        session=True,
    )


CONTAINERS = _list(
    "container", "The benches that were ever found.", ContainerListParams, ContainerList
)
PANES = _list("pane", "Every pane that was ever found in a bench.", PaneListParams, PaneList)
AGENTS = _list("agent", "Agents, those too that have ended.", AgentListParams, AgentList)
LOG_ATTACHMENTS = _list(
    "log_attachment",
    "Where the output of agents is, or was, captured.",
    LogAttachmentListParams,
    LogAttachmentList,
)
EVENTS = _list(
    "event", "What agents' output said, and what became of layouts.", EventListParams, EventList
)
MESSAGES = _list("queue", "The prompt queue.", QueueListParams, QueueList)
ROUTES = _list("route", "The rules that turn events into prompts.", RouteListParams, RouteList)
