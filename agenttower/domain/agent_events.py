"""What is told of an agent's output (legacy surfaces part 2, sections 1.6 to 1.10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

ACTIVITY: Final = "activity"
PANE_EXITED: Final = "pane_exited"
LONG_RUNNING: Final = "long_running"
SWARM_MEMBER: Final = "swarm_member_reported"

AgentEventType = Literal[
    "activity",
    "waiting_for_input",
    "completed",
    "error",
    "test_failed",
    "test_passed",
    "manual_review_needed",
    "long_running",
    "pane_exited",
    "swarm_member_reported",
]
AGENT_EVENT_TYPES: Final[tuple[AgentEventType, ...]] = get_args(AgentEventType)
"""The closed set of types; routes subscribe to these and to no others."""

SYNTHETIC_RULES: Final = {
    PANE_EXITED: "pane_exited.synth.v1",
    LONG_RUNNING: "long_running.synth.v1",
}
"""Types that follow from time and from tmux, never from what was printed."""

RUNNING_TYPES: Final = frozenset(
    {ACTIVITY, "error", "test_failed", SWARM_MEMBER, "manual_review_needed"}
)
"""After these the agent is taken to be at work, so that silence makes it ``long_running``."""

SCHEMA_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Window:
    """A debounce window, open or closed. Times are unix microseconds."""

    window_id: str
    started_at: int
    """When its first record was seen."""
    count: int


@dataclass(frozen=True, slots=True)
class AgentEvent:
    """One event before it has an id: what was seen, where in the log, by which rule.

    Ranges are half open: bytes of the file, and zero-based lines. A synthetic event has empty ones
    and an empty excerpt. ``excerpt`` is redacted and cut.
    """

    event_type: str
    rule_id: str
    excerpt: str
    byte_start: int
    byte_end: int
    line_start: int
    line_end: int
    observed_at: int
    """Unix microseconds."""
    window: Window | None = None


def synthetic(event_type: str, byte_offset: int, line_offset: int, now: int) -> AgentEvent:
    """``pane_exited`` or ``long_running``, at the place that has been read up to."""
    return AgentEvent(
        event_type=event_type,
        rule_id=SYNTHETIC_RULES[event_type],
        excerpt="",
        byte_start=byte_offset,
        byte_end=byte_offset,
        line_start=line_offset,
        line_end=line_offset,
        observed_at=now,
    )
