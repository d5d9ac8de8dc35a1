"""The newest rows as the dashboard shows them (app surface, section 11.6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from agenttower.clock import to_millis, to_rfc3339
from agenttower.domain.app_ranks import STATE_PRIORITY
from agenttower.domain.prompts import PromptState
from agenttower.protocol.app.dashboard import RecentEvent, RecentMessage, RecentRoute
from agenttower.services.app_views import SUMMARY_LIMIT, event_summary
from agenttower.store import app_recent


def events(rows: Sequence[app_recent.RecentEvent]) -> list[RecentEvent]:
    """Events; ``origin`` is ``managed`` for what AgentTower itself did, and else empty."""
    return [
        RecentEvent(
            id=row.event_id,
            timestamp=to_rfc3339(row.observed_at),
            type=row.event_type,
            origin="managed" if row.kind == "managed" else "",
            agent_id=row.agent_id or "",
            summary=event_summary(row.event_type, row.agent_id),
        )
        for row in rows
    ]


def prompts(rows: Sequence[app_recent.RecentPrompt]) -> list[RecentMessage]:
    """Rows of the prompt queue; ``type`` is where they come from."""
    return [
        RecentMessage(
            id=row.message_id,
            timestamp=to_millis(row.enqueued_at),
            type=cast(Literal["direct", "route"], row.origin),
            state=PromptState(row.state).value,
            state_priority=STATE_PRIORITY[PromptState(row.state)],
            target_agent_id=row.target_agent_id,
            summary=_prompt_summary(row),
        )
        for row in rows
    ]


def routes(rows: Sequence[app_recent.RecentRoute]) -> list[RecentRoute]:
    """Routes."""
    return [
        RecentRoute(
            id=row.route_id,
            timestamp=to_millis(row.created_at),
            enabled=row.enabled,
            summary=_route_summary(row),
        )
        for row in rows
    ]


def _prompt_summary(row: app_recent.RecentPrompt) -> str:
    """Who to whom, and what became of it; nothing of its text."""
    outcome = row.state if row.reason is None else f"{row.state}: {row.reason.replace('_', ' ')}"
    who = f"{row.sender_label or 'operator'} to {row.target_label or row.target_agent_id}"
    return f"{who}, {outcome}"[:SUMMARY_LIMIT]


def _route_summary(row: app_recent.RecentRoute) -> str:
    target = row.target_rule if row.target_value is None else row.target_value
    return f"{row.event_type} to {target}{'' if row.enabled else ', disabled'}"[:SUMMARY_LIMIT]
