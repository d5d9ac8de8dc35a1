"""The closed set of managed lifecycle events and what each one tells (managed.md section 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from agenttower.domain.states import Stage, State

Actor = Literal["operator", "daemon"]
"""Who caused an event."""


class EventType(StrEnum):
    """Every ``event_type`` with origin ``managed``."""

    LAYOUT_CREATED = "managed_layout_created"
    LAYOUT_STATE_CHANGED = "managed_layout_state_changed"
    PANE_CREATED = "managed_pane_created"
    PANE_STATE_CHANGED = "managed_pane_state_changed"
    PANE_RECREATED = "managed_pane_recreated"
    PANE_REMOVED = "managed_pane_removed"
    PENDING_MARKER_SET = "managed_pane_pending_marker_set"
    PENDING_MARKER_CLEARED = "managed_pane_pending_marker_cleared"
    LAUNCH_COMMAND_EXITED = "managed_pane_launch_command_exited"
    LOG_ATTACH_FAILED = "managed_pane_log_attach_failed"
    RESTART_SCHEDULED = "managed_pane_restart_scheduled"
    RESTART_STOPPED = "managed_pane_restart_stopped"
    RECOVERY_REATTACHED = "managed_layout_recovery_reattached"
    RECOVERY_FAILED = "managed_layout_recovery_failed"


PAYLOAD_KEYS: Mapping[EventType, tuple[str, ...]] = MappingProxyType(
    {
        EventType.LAYOUT_CREATED: ("template_name", "container_id", "intended_pane_count"),
        EventType.LAYOUT_STATE_CHANGED: ("prev_state", "new_state"),
        EventType.PANE_CREATED: ("role", "label", "tmux_session_name", "tmux_pane_index"),
        EventType.PANE_STATE_CHANGED: ("prev_state", "new_state", "failed_stage?"),
        EventType.PANE_RECREATED: ("predecessor_id", "chain_depth"),
        EventType.PANE_REMOVED: ("tmux_kill_succeeded",),
        EventType.PENDING_MARKER_SET: ("marker_token",),
        EventType.PENDING_MARKER_CLEARED: ("marker_token",),
        EventType.LAUNCH_COMMAND_EXITED: ("exit_code", "elapsed_ms"),
        EventType.LOG_ATTACH_FAILED: ("reason",),
        EventType.RESTART_SCHEDULED: ("attempt", "delay_ms"),
        EventType.RESTART_STOPPED: ("reason",),
        EventType.RECOVERY_REATTACHED: ("reattached_pane_ids",),
        EventType.RECOVERY_FAILED: ("failed_pane_ids", "failed_stage"),
    }
)
"""The contract's payload keys; a ``?`` marks one that may be left out."""


def check_payload(event_type: EventType, payload: Mapping[str, object]) -> None:
    """Compare a payload's keys with the contract's.

    :raises ValueError: a key is missing, or is one that the contract does not have.
    """
    keys = PAYLOAD_KEYS[event_type]
    needed = {key for key in keys if not key.endswith("?")}
    known = {key.removesuffix("?") for key in keys}
    missing, unknown = needed - payload.keys(), payload.keys() - known
    if missing or unknown:
        raise ValueError(
            f"{event_type} payload: missing {sorted(missing)}, unknown {sorted(unknown)}"
        )


@dataclass(frozen=True, slots=True)
class ManagedEvent:
    """What happened, before it gets its ids, its sequence and its place in the outbox."""

    event_type: EventType
    payload: Mapping[str, object]

    def __post_init__(self) -> None:
        check_payload(self.event_type, self.payload)


def layout_created(template_name: str, container_id: str, intended_pane_count: int) -> ManagedEvent:
    """A layout was accepted."""
    return ManagedEvent(
        EventType.LAYOUT_CREATED,
        {
            "template_name": template_name,
            "container_id": container_id,
            "intended_pane_count": intended_pane_count,
        },
    )


def layout_state_changed(prev_state: State, new_state: State) -> ManagedEvent:
    """A layout's aggregate state changed."""
    return ManagedEvent(
        EventType.LAYOUT_STATE_CHANGED,
        {"prev_state": prev_state.value, "new_state": new_state.value},
    )


def pane_created(
    role: str, label: str, tmux_session_name: str, tmux_pane_index: int | None
) -> ManagedEvent:
    """A pane exists in tmux."""
    return ManagedEvent(
        EventType.PANE_CREATED,
        {
            "role": role,
            "label": label,
            "tmux_session_name": tmux_session_name,
            "tmux_pane_index": tmux_pane_index,
        },
    )


def pane_state_changed(
    prev_state: State, new_state: State, failed_stage: Stage | None = None
) -> ManagedEvent:
    """A pane changed its state; ``failed_stage`` is left out where there is none."""
    payload = {"prev_state": prev_state.value, "new_state": new_state.value}
    if failed_stage is not None:
        payload["failed_stage"] = failed_stage.value
    return ManagedEvent(EventType.PANE_STATE_CHANGED, payload)


def pane_recreated(predecessor_id: str, chain_depth: int) -> ManagedEvent:
    """A pane was accepted as the successor of another."""
    return ManagedEvent(
        EventType.PANE_RECREATED, {"predecessor_id": predecessor_id, "chain_depth": chain_depth}
    )


def pane_removed(tmux_kill_succeeded: bool) -> ManagedEvent:
    """A pane was removed."""
    return ManagedEvent(EventType.PANE_REMOVED, {"tmux_kill_succeeded": tmux_kill_succeeded})


def pending_marker_set(marker_token: str) -> ManagedEvent:
    """A pane's creation is under way (FR-014)."""
    return ManagedEvent(EventType.PENDING_MARKER_SET, {"marker_token": marker_token})


def pending_marker_cleared(marker_token: str) -> ManagedEvent:
    """A pane has settled."""
    return ManagedEvent(EventType.PENDING_MARKER_CLEARED, {"marker_token": marker_token})


def launch_command_exited(exit_code: int | None, elapsed_ms: int | None) -> ManagedEvent:
    """The program in a pane ended; ``None`` is what nobody could learn."""
    return ManagedEvent(
        EventType.LAUNCH_COMMAND_EXITED, {"exit_code": exit_code, "elapsed_ms": elapsed_ms}
    )


def log_attach_failed(reason: str) -> ManagedEvent:
    """A pane's log could not be attached, or was lost."""
    return ManagedEvent(EventType.LOG_ATTACH_FAILED, {"reason": reason})


def recovery_reattached(reattached_pane_ids: Sequence[str]) -> ManagedEvent:
    """After a restart these panes were found alive (FR-020)."""
    return ManagedEvent(
        EventType.RECOVERY_REATTACHED, {"reattached_pane_ids": list(reattached_pane_ids)}
    )


def recovery_failed(failed_pane_ids: Sequence[str], failed_stage: Stage) -> ManagedEvent:
    """After a restart these panes could not be found (FR-020)."""
    return ManagedEvent(
        EventType.RECOVERY_FAILED,
        {"failed_pane_ids": list(failed_pane_ids), "failed_stage": failed_stage.value},
    )


def restart_scheduled(attempt: int, delay_ms: int) -> ManagedEvent:
    """A pane whose program failed will be started again (additive)."""
    return ManagedEvent(EventType.RESTART_SCHEDULED, {"attempt": attempt, "delay_ms": delay_ms})


def restart_stopped(reason: str) -> ManagedEvent:
    """A pane whose program failed will not be started again (additive)."""
    return ManagedEvent(EventType.RESTART_STOPPED, {"reason": reason})
