"""What a person could do next to get going (app surface, section 7.2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from agenttower.domain.readiness import Health


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ACTION_REQUIRED = "action_required"


class HintCode(StrEnum):
    """The closed set, in the order in which they are shown."""

    DOCKER_UNAVAILABLE = "docker_unavailable_hint"
    START_BENCH_CONTAINER = "start_bench_container"
    CHECK_CONTAINER_FILTER = "check_container_filter"
    """Reserved: never given."""
    REGISTER_FIRST_AGENT = "register_first_agent"
    ATTACH_LOGS = "attach_logs"
    ENABLE_FIRST_ROUTE = "enable_first_route"


@dataclass(frozen=True, slots=True)
class Hint:
    """One hint. None of those that are given is about a single object."""

    code: HintCode
    severity: Severity
    message: str


@dataclass(frozen=True, slots=True)
class Stock:
    """What there is. Of numbers only whether they are 0 counts."""

    docker: Health
    running_containers: int
    """Also those whose last pane scan failed: nobody has to start them."""
    panes: int
    agents: int
    active_logs: int
    enabled_routes: int


_HINTS = {
    HintCode.DOCKER_UNAVAILABLE: Hint(
        HintCode.DOCKER_UNAVAILABLE,
        Severity.ACTION_REQUIRED,
        "Docker cannot be reached. Start it, or set DOCKER_HOST and restart the daemon.",
    ),
    HintCode.START_BENCH_CONTAINER: Hint(
        HintCode.START_BENCH_CONTAINER,
        Severity.ACTION_REQUIRED,
        "No bench container is running. Start one whose name the container filter matches.",
    ),
    HintCode.REGISTER_FIRST_AGENT: Hint(
        HintCode.REGISTER_FIRST_AGENT,
        Severity.INFO,
        "There are panes and no agents. Adopt a pane to register the first agent.",
    ),
    HintCode.ATTACH_LOGS: Hint(
        HintCode.ATTACH_LOGS,
        Severity.INFO,
        "No agent's output is captured. Attach a log to see what an agent does.",
    ),
    HintCode.ENABLE_FIRST_ROUTE: Hint(
        HintCode.ENABLE_FIRST_ROUTE,
        Severity.INFO,
        "No route is enabled. Add or enable one to have events make prompts.",
    ),
}


def hints(stock: Stock) -> list[Hint]:
    """All that apply, in the order of the set."""
    containers, agents = stock.running_containers > 0, stock.agents > 0
    applies = {
        HintCode.DOCKER_UNAVAILABLE: stock.docker is Health.UNAVAILABLE,
        HintCode.START_BENCH_CONTAINER: not containers and stock.docker is Health.OK,
        HintCode.REGISTER_FIRST_AGENT: containers and stock.panes > 0 and not agents,
        HintCode.ATTACH_LOGS: agents and not stock.active_logs,
        HintCode.ENABLE_FIRST_ROUTE: agents and not stock.enabled_routes,
    }
    return [_HINTS[code] for code, applies_now in applies.items() if applies_now]
