"""What the requests about logs are answered with, whether they end well or not."""

from __future__ import annotations

from typing import Any

from agenttower.clock import to_rfc3339
from agenttower.engine.handler import Failure
from agenttower.store import agent_logs
from agenttower.store.log_attaching import Attached

_CODES = {
    "log_not_visible": "log_path_not_host_visible",
    "log_timeout": "log_path_not_host_visible",
    "container_inactive": "agent_inactive",
    "container_not_found": "agent_inactive",
    "agent_inactive": "agent_inactive",
    "pane_unknown": "pane_unknown_to_daemon",
    "tmux_unavailable": "tmux_unavailable",
    "pipe_pane_failed": "pipe_pane_failed",
    "tmux_error": "pipe_pane_failed",
    "tmux_timeout": "pipe_pane_failed",
    "exec_connection": "docker_unavailable",
    "exec_timeout": "docker_unavailable",
    "docker_error": "docker_unavailable",
}
"""The wire's code for each class of error that a step may end with; others are internal."""


def attached_view(attached: Attached) -> dict[str, Any]:
    """The reply of ``attach_log`` (legacy section 9.5); ``prior_status`` and ``via`` are added."""
    log = attached.attachment
    return {
        "agent_id": log.agent_id,
        "attachment_id": log.attachment_id,
        "log_path": log.log_path,
        "source": log.source,
        "status": log.status,
        "byte_offset": attached.offset.byte_offset,
        "line_offset": attached.offset.line_offset,
        "attached_at": to_rfc3339(log.attached_at),
        "last_status_at": to_rfc3339(log.last_status_at),
        "is_new": attached.is_new,
        "prior_status": attached.prior_status,
        "via": log.via,
    }


def detached_view(agent_id: str) -> dict[str, Any]:
    """The reply of ``detach_log`` (legacy section 9.6)."""
    log = agent_logs.newest(agent_id)
    assert log is not None
    place = agent_logs.offset(agent_id, log.log_path)
    return {
        "agent_id": agent_id,
        "attachment_id": log.attachment_id,
        "log_path": log.log_path,
        "status": log.status,
        "byte_offset": 0 if place is None else place.byte_offset,
        "line_offset": 0 if place is None else place.line_offset,
        "last_status_at": to_rfc3339(log.last_status_at),
    }


def wire_code(failure: Failure) -> str:
    """The code that a request is refused with whose step has failed for good."""
    return _CODES.get(failure.error_class, "internal_error")
