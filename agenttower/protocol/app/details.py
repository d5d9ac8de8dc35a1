"""Details of the seven entities: one row by its id (app surface, sections 8.6 and 13)."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from agenttower.protocol.app import entities
from agenttower.protocol.app.lists import Id
from agenttower.protocol.declaration import Declaration, Gate

Digits = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,40}(?!\n)$")]


class ContainerId(msgspec.Struct, frozen=True):
    container_id: Id


class ContainerDetail(msgspec.Struct, frozen=True):
    row: entities.Container


class PaneId(msgspec.Struct, frozen=True):
    """A pane id is unique in one tmux server only; the other two are additive and narrow."""

    pane_id: Id
    container_id: Id | UnsetType = UNSET
    tmux_socket: Id | UnsetType = UNSET


class PaneDetail(msgspec.Struct, frozen=True):
    row: entities.Pane


class AgentId(msgspec.Struct, frozen=True):
    agent_id: Id


class AgentDetail(msgspec.Struct, frozen=True):
    row: entities.Agent


class LogAttachmentId(msgspec.Struct, frozen=True):
    attachment_id: Id


class LogAttachmentDetail(msgspec.Struct, frozen=True):
    row: entities.LogAttachment


class EventId(msgspec.Struct, frozen=True):
    """Digits, as the contract says, or the number that rows show."""

    event_id: Digits | Annotated[int, msgspec.Meta(ge=0)]


class EventDetail(msgspec.Struct, frozen=True):
    row: entities.Event


class MessageId(msgspec.Struct, frozen=True):
    message_id: Id


class QueueDetail(msgspec.Struct, frozen=True):
    row: entities.Message


class RouteId(msgspec.Struct, frozen=True):
    route_id: Id


class RouteDetail(msgspec.Struct, frozen=True):
    row: entities.Route


def _detail(
    entity: str,
    summary: str,
    params: type[msgspec.Struct],
    result: type[msgspec.Struct],
    missing: str = "not_found",
) -> Declaration:
    return Declaration(
        name=f"app.{entity}.detail",
        summary=summary,
        gate=Gate.HOST,
        params=params,
        result=result,
        errors=("validation_failed", missing),
        session=True,
    )


CONTAINER = _detail("container", "One bench.", ContainerId, ContainerDetail)
PANE = _detail("pane", "One pane, by tmux's id.", PaneId, PaneDetail, "pane_not_found")
AGENT = _detail("agent", "One agent.", AgentId, AgentDetail, "agent_not_found")
LOG_ATTACHMENT = _detail(
    "log_attachment", "One log attachment.", LogAttachmentId, LogAttachmentDetail
)
EVENT = _detail("event", "One event.", EventId, EventDetail)
MESSAGE = _detail("queue", "One prompt.", MessageId, QueueDetail, "queue_message_not_found")
ROUTE = _detail("route", "One route.", RouteId, RouteDetail, "route_not_found")
