"""The seven things that lists and details show (app surface, section 13).

``Ms`` is whole milliseconds since 1970, ``Iso`` an instant as RFC 3339 in UTC.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from agenttower.domain.permissions import Role

Ms = int
Iso = str

ContainerState = Literal["active", "inactive", "degraded_scan"]
QueueState = Literal["queued", "blocked", "failed", "delivered", "canceled"]
AttachmentState = Literal["active", "superseded", "stale", "detached"]


class Container(msgspec.Struct, frozen=True):
    """Section 13.1."""

    container_id: str
    name: str
    state: ContainerState
    image: str
    first_seen_at: Iso
    last_scanned_at: Iso
    pane_count: int
    registered_agent_count: int


class Pane(msgspec.Struct, frozen=True):
    """Section 13.2; ``active`` is additive: the last scan of its container saw it."""

    pane_id: str
    container_id: str
    container_name: str
    tmux_socket: str
    session_name: str
    window_index: int
    pane_index: int
    registered: bool
    agent_id: str | None
    discovered_at: Ms
    last_seen_at: Ms
    active: bool


class Agent(msgspec.Struct, frozen=True):
    """Section 13.3; additive are ``role_priority``, ``origin`` (FR-005) and ``active``: it is
    registered, and not only remembered."""

    agent_id: str
    role: Role
    role_priority: int
    capability: str
    label: str
    project_path: str | None
    parent_agent_id: str | None
    container_id: str
    pane_id: str
    registered_at: Ms
    log_attached: bool
    pane_active: bool
    active: bool
    origin: Literal["managed", "adopted"]


class LogAttachment(msgspec.Struct, frozen=True):
    """Section 13.4."""

    attachment_id: str
    agent_id: str
    container_id: str
    log_path: str
    status: AttachmentState
    source: Literal["explicit", "register_self"]
    attached_at: Iso
    last_status_at: Iso


class Event(msgspec.Struct, frozen=True):
    """Section 13.5; managed lifecycle events too, without excerpt and rule."""

    event_id: int
    event_type: str
    agent_id: str
    observed_at: Iso
    excerpt: str
    classifier_rule_id: str
    summary: str


class Message(msgspec.Struct, frozen=True):
    """Section 13.6: a row of the prompt queue."""

    message_id: str
    state: QueueState
    state_priority: int
    block_reason: str | None
    failure_reason: str | None
    sender_agent_id: str
    target_agent_id: str
    payload_preview: str
    enqueued_at: Ms
    last_updated_at: Ms


class SourceScope(msgspec.Struct, frozen=True):
    kind: Literal["any", "agent_id", "role"] = "any"
    value: str | None = None


class RouteTarget(msgspec.Struct, frozen=True):
    rule: Literal["explicit", "source", "role"]
    value: str | None = None


class RouteMaster(msgspec.Struct, frozen=True):
    rule: Literal["auto", "explicit"] = "auto"
    value: str | None = None


class Route(msgspec.Struct, frozen=True):
    """Section 13.7."""

    route_id: str
    enabled: bool
    event_type: str
    source_scope: SourceScope
    target: RouteTarget
    master: RouteMaster
    template: str
    last_consumed_event_id: int
    created_at: Iso
    updated_at: Iso
