"""The one thing to do next: a pure function of what a dashboard has read (app surface, 11.7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from agenttower.domain.readiness import Subsystem


class RecommendationCode(StrEnum):
    """The closed set, in order of precedence."""

    SUBSYSTEM_DEGRADED = "subsystem_degraded"
    NO_CONTAINERS = "no_containers"
    NO_PANES_DISCOVERED = "no_panes_discovered"
    UNADOPTED_PANES_PRESENT = "unadopted_panes_present"
    BLOCKED_QUEUE_DRAIN = "blocked_queue_drain"
    NO_ROUTES_CONFIGURED = "no_routes_configured"
    ALL_CLEAR = "all_clear"


class TargetKind(StrEnum):
    """What a hint or a recommendation may point at; ``subsystem`` is for recommendations."""

    CONTAINER = "container"
    PANE = "pane"
    AGENT = "agent"
    ROUTE = "route"
    MESSAGE = "message"
    EVENT = "event"
    SUBSYSTEM = "subsystem"


@dataclass(frozen=True, slots=True)
class Target:
    """An object, by its opaque id."""

    kind: TargetKind
    id: str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The texts are constants of the wire: at most 128 and 512 characters, English."""

    code: RecommendationCode
    title: str
    detail: str | None = None
    target: Target | None = None


@dataclass(frozen=True, slots=True)
class State:
    """What was read. Counts that could not be read are 0, and then something is ``unwell``."""

    unwell: Sequence[Subsystem] = ()
    """The subsystems that are not ok, in any order."""
    unwell_unnamed: bool = False
    """Something is not well, and nobody can say what."""
    containers: int = 0
    """Stored ones, in any state."""
    first_active_container: str | None = None
    panes: int = 0
    """Those that are known: of scans, and those that agents are known to live in. A layout that was
    just created has panes which no scan has seen yet."""
    unadopted_panes: int = 0
    """Live ones without an agent. The contract counts vanished ones too, and would then advise to
    adopt them for good."""
    first_adoptable_pane: str | None = None
    blocked: int = 0
    oldest_blocked: str | None = None
    routes: int = 0
    """Enabled or not."""


def recommend(state: State) -> Recommendation:
    """The first that applies; equal state gives an equal answer."""
    code = RecommendationCode
    if state.unwell or state.unwell_unnamed:
        return _subsystem_degraded(state.unwell)
    if not state.containers:
        return Recommendation(
            code.NO_CONTAINERS,
            "No bench containers",
            "The daemon does not see any bench containers. Start a container "
            "(or check Docker connectivity).",
        )
    if not state.panes:
        return Recommendation(
            code.NO_PANES_DISCOVERED,
            "No panes discovered",
            "Containers exist but no tmux panes were discovered. Check tmux discovery health and "
            "the container's bench user.",
            _target(TargetKind.CONTAINER, state.first_active_container),
        )
    if state.unadopted_panes or state.first_adoptable_pane is not None:
        return Recommendation(
            code.UNADOPTED_PANES_PRESENT,
            "Unadopted panes need attention",
            f"{max(1, state.unadopted_panes)} pane(s) are discovered but not yet registered "
            "with an agent. Adopt them to enable routing.",
            _target(TargetKind.PANE, state.first_adoptable_pane),
        )
    if state.blocked or state.oldest_blocked is not None:
        return Recommendation(
            code.BLOCKED_QUEUE_DRAIN,
            "Blocked queue rows",
            f"{max(1, state.blocked)} queue row(s) are blocked and need operator action "
            "(approve, delay, or cancel).",
            _target(TargetKind.MESSAGE, state.oldest_blocked),
        )
    if not state.routes:
        return Recommendation(
            code.NO_ROUTES_CONFIGURED,
            "No routes configured",
            "The route catalog is empty. Configure at least one route to enable arbitration.",
        )
    return Recommendation(code.ALL_CLEAR, "All clear")


def _subsystem_degraded(unwell: Sequence[Subsystem]) -> Recommendation:
    code = RecommendationCode.SUBSYSTEM_DEGRADED
    first = next((name for name in Subsystem if name in unwell), None)
    if first is None:
        return Recommendation(
            code,
            "Subsystem health degraded",
            "One or more readiness subsystems are reporting degraded health, but the specific "
            "subsystem could not be attributed. Inspect daemon readiness before relying on other "
            "dashboard signals.",
        )
    return Recommendation(
        code,
        f"Subsystem degraded: {first}",
        f"The {first} subsystem is reporting degraded health. Inspect daemon readiness or the "
        "relevant subsystem before relying on other dashboard signals.",
        _target(TargetKind.SUBSYSTEM, first),
    )


def _target(kind: TargetKind, found: str | None) -> Target | None:
    return None if found is None else Target(kind, str(found))
