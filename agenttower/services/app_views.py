"""The seven entities of ``app.*`` made of what is stored (app surface, section 13).

All that is derived is derived here or in :mod:`agenttower.store.app_state`, at every reading.
"""

from __future__ import annotations

from typing import Literal, cast

from agenttower.clock import MILLISECOND, Micros, to_rfc3339
from agenttower.domain.app_ranks import ROLE_PRIORITY, STATE_PRIORITY
from agenttower.domain.permissions import Role
from agenttower.protocol.app import entities
from agenttower.store.listing.agents import AgentRow
from agenttower.store.listing.attachments import AttachmentRow
from agenttower.store.listing.containers import ContainerRow
from agenttower.store.listing.events import EventRow
from agenttower.store.listing.panes import PaneRow
from agenttower.store.prompts import PromptRecord
from agenttower.store.routes import RouteRecord

SUMMARY_LIMIT = 256
"""Characters of a summary at most."""
EXCERPT_LIMIT = 4096
"""Characters of an excerpt at most, whatever is configured to be stored: a page of 200 fits the
8 MiB that an answer may have (app surface, section 1)."""


def container_row(row: ContainerRow) -> entities.Container:
    """Section 13.1."""
    return entities.Container(
        container_id=row.id,
        name=row.name,
        state=cast(entities.ContainerState, row.state),
        image=row.image,
        first_seen_at=to_rfc3339(row.first_seen_at),
        last_scanned_at=to_rfc3339(row.last_scanned_at),
        pane_count=row.pane_count,
        registered_agent_count=row.registered_agent_count,
    )


def pane_row(row: PaneRow) -> entities.Pane:
    """Section 13.2."""
    return entities.Pane(
        pane_id=row.pane_id,
        container_id=row.container_id,
        container_name=row.container_name,
        tmux_socket=row.tmux_socket,
        session_name=row.session_name,
        window_index=row.window_index,
        pane_index=row.pane_index,
        registered=row.agent_id is not None,
        agent_id=row.agent_id,
        discovered_at=millis(row.first_seen_at),
        last_seen_at=millis(row.last_seen_at),
        active=bool(row.active),
    )


def agent_row(row: AgentRow) -> entities.Agent:
    """Section 13.3."""
    role = Role(row.role)
    return entities.Agent(
        agent_id=row.agent_id,
        role=role,
        role_priority=ROLE_PRIORITY[role],
        capability=row.capability,
        label=row.label,
        project_path=row.project_path or None,
        parent_agent_id=row.parent_agent_id,
        container_id=row.container_id,
        pane_id=row.pane_id,
        registered_at=millis(row.created_at),
        log_attached=bool(row.log_attached),
        pane_active=bool(row.pane_active),
        active=bool(row.active),
        origin=cast(Literal["managed", "adopted"], row.origin),
    )


def attachment_row(row: AttachmentRow) -> entities.LogAttachment:
    """Section 13.4. A template's log was asked for by whoever wrote the template: ``explicit``."""
    return entities.LogAttachment(
        attachment_id=row.attachment_id,
        agent_id=row.agent_id,
        container_id=row.container_id,
        log_path=row.log_path,
        status=cast(entities.AttachmentState, row.status),
        source="register_self" if row.source == "register_self" else "explicit",
        attached_at=to_rfc3339(row.attached_at),
        last_status_at=to_rfc3339(row.last_status_at),
    )


def event_row(row: EventRow) -> entities.Event:
    """Section 13.5; what concerns a whole layout has no agent, so ``agent_id`` is empty."""
    return entities.Event(
        event_id=row.id,
        event_type=row.event_type,
        agent_id=row.agent_id or "",
        observed_at=to_rfc3339(row.observed_at),
        excerpt=row.excerpt[:EXCERPT_LIMIT],
        classifier_rule_id=row.rule_id,
        summary=event_summary(row.event_type, row.agent_id),
    )


def event_summary(event_type: str, agent_id: str | None) -> str:
    """An event in a few words, of its type and its agent and of nothing that was printed."""
    words = event_type.replace("_", " ")
    return (f"{agent_id}: {words}" if agent_id else words)[:SUMMARY_LIMIT]


def message_row(row: PromptRecord) -> entities.Message:
    """Section 13.6. The preview is the excerpt that was redacted when the prompt was accepted;
    ``failure_reason`` may be ``pane_not_ready``, which is additive."""
    return entities.Message(
        message_id=row.message_id,
        state=row.state.value,
        state_priority=STATE_PRIORITY[row.state],
        block_reason=row.block_reason and row.block_reason.value,
        failure_reason=row.failure_reason and row.failure_reason.value,
        sender_agent_id=row.sender_agent_id,
        target_agent_id=row.target_agent_id,
        payload_preview=row.excerpt,
        enqueued_at=millis(row.enqueued_at),
        last_updated_at=millis(row.last_updated_at),
    )


def route_row(row: RouteRecord) -> entities.Route:
    """Section 13.7."""
    scope, target, master = row.source_scope_kind, row.target_rule, row.master_rule
    return entities.Route(
        route_id=row.route_id,
        enabled=row.enabled,
        event_type=row.event_type,
        source_scope=entities.SourceScope(
            cast(Literal["any", "agent_id", "role"], scope), row.source_scope_value
        ),
        target=entities.RouteTarget(
            cast(Literal["explicit", "source", "role"], target), row.target_value
        ),
        master=entities.RouteMaster(cast(Literal["auto", "explicit"], master), row.master_value),
        template=row.template,
        last_consumed_event_id=row.last_consumed_event_id,
        created_at=to_rfc3339(row.created_at),
        updated_at=to_rfc3339(row.updated_at),
    )


def millis(moment: Micros) -> entities.Ms:
    """A stored time as the contract's ``<ms>``: the whole milliseconds that have passed."""
    return moment // MILLISECOND
