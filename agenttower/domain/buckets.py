"""Into which bucket of the dashboard a pane or an agent falls (app surface, 11.3 and 11.4)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from agenttower.domain.permissions import Role


class ContainerState(StrEnum):
    """What can be done in a container."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    DEGRADED_SCAN = "degraded_scan"
    """It runs, and its last pane discovery failed or was partial."""


class PaneBucket(StrEnum):
    """A partition of all panes."""

    UNMANAGED = "discovered-and-unmanaged"
    REGISTERED = "discovered-and-registered"
    STALE = "inactive-or-stale"
    DEGRADED = "discovery-degraded"


class AgentBucket(StrEnum):
    """The first of two partitions of all agents: what each could do now."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    PARTIALLY_CONFIGURED = "partially_configured"


class LogBucket(StrEnum):
    """The second: whether its output is captured."""

    ATTACHED = "log-attached"
    DETACHED = "log-detached"


@dataclass(frozen=True, slots=True)
class PaneFacts:
    """What a pane's bucket depends on."""

    container: ContainerState
    active: bool
    """It was there when it was looked for last."""
    overlooked: bool
    """A later scan, a successful one, did not see it."""
    registered: bool


@dataclass(frozen=True, slots=True)
class AgentFacts:
    """What an agent's buckets depend on."""

    container: ContainerState | None
    """``None``: its container was never seen."""
    active: bool
    role: str
    capability: str
    label: str
    log_attached: bool


def pane_bucket(pane: PaneFacts) -> PaneBucket:
    """The first that matches."""
    if pane.container is ContainerState.DEGRADED_SCAN:
        return PaneBucket.DEGRADED
    if pane.container is ContainerState.INACTIVE or not pane.active or pane.overlooked:
        return PaneBucket.STALE
    return PaneBucket.REGISTERED if pane.registered else PaneBucket.UNMANAGED


def agent_bucket(agent: AgentFacts) -> AgentBucket:
    """The first that matches."""
    if not all(map(_is_set, (agent.role, agent.capability, agent.label))):
        return AgentBucket.PARTIALLY_CONFIGURED
    if agent.active and agent.container is ContainerState.ACTIVE:
        return AgentBucket.ACTIVE
    return AgentBucket.INACTIVE


def log_bucket(agent: AgentFacts) -> LogBucket:
    """Whether an attachment of it is active."""
    return LogBucket.ATTACHED if agent.log_attached else LogBucket.DETACHED


def known_role(role: str) -> Role:
    """``role``, or ``unknown`` where the set does not have it."""
    return Role(role) if role in list(Role) else Role.UNKNOWN


def _is_set(value: str) -> bool:
    return value.strip() not in ("", "unknown")
