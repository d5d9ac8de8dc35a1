"""Which events a route heeds, in whose name it speaks, and whom it prompts. Pure.

Legacy surfaces part 2, sections 9 to 11. Rules are parsed when a route is made; :func:`decide` says
for one event what becomes of it, by the registry as it is at that moment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from agenttower.domain.agent_events import AGENT_EVENT_TYPES
from agenttower.domain.identifiers import is_agent_id
from agenttower.domain.permissions import Role
from agenttower.domain.prompts import NO_EXCERPT, check_body, excerpt
from agenttower.domain.route_template import MissingField, Template, parse_template
from agenttower.errors import (
    AgentTowerError,
    BodyRefused,
    RouteEventTypeInvalid,
    RouteMasterRuleInvalid,
    RouteSourceScopeInvalid,
    RouteTargetRuleInvalid,
)

EVENT_TYPES = AGENT_EVENT_TYPES
"""What a route can be for: the types that are read from output, and no others."""

SCOPES = ("any", "agent_id", "role")
TARGET_RULES = ("explicit", "source", "role")
MASTER_RULES = ("auto", "explicit")
TARGET_ROLES = (Role.SLAVE, Role.SWARM)
MAX_LABEL = 64

_ROLE_VALUE = re.compile(r"role:([A-Za-z0-9_-]+)(?:,capability:([A-Za-z0-9_-]+))?")


class SkipReason(StrEnum):
    """Why a matching event becomes no prompt (section 11.4)."""

    NO_ELIGIBLE_MASTER = "no_eligible_master"
    MASTER_INACTIVE = "master_inactive"
    MASTER_NOT_FOUND = "master_not_found"
    TARGET_NOT_FOUND = "target_not_found"
    NO_ELIGIBLE_TARGET = "no_eligible_target"
    TARGET_NOT_ACTIVE = "target_not_active"
    TEMPLATE_RENDER_ERROR = "template_render_error"


class RenderProblem(StrEnum):
    """Why a template gave no text that can be sent: ``sub_reason`` of the skip."""

    MISSING_FIELD = "missing_field"
    BODY_EMPTY = "body_empty"
    BODY_INVALID_CHARS = "body_invalid_chars"
    BODY_INVALID_ENCODING = "body_invalid_encoding"
    BODY_TOO_LARGE = "body_too_large"
    REDACTOR_FAILURE = "redactor_failure"


@dataclass(frozen=True, slots=True)
class RoleValue:
    """``role:<role>[,capability:<capability>]``."""

    role: str
    capability: str | None

    def fits(self, agent: AgentFacts) -> bool:
        """Whether the agent has that role and, where one is named, that capability."""
        return agent.role == self.role and self.capability in (None, agent.capability)


@dataclass(frozen=True, slots=True)
class AgentFacts:
    """What routing needs to know of an agent."""

    agent_id: str
    label: str
    role: str
    capability: str
    active: bool
    container_id: str


@dataclass(frozen=True, slots=True)
class EventFacts:
    """An event that was read from an agent's output."""

    event_id: int
    event_type: str
    agent_id: str
    container_id: str | None
    excerpt: str
    observed_at: str
    """As the event shows it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a route says, as it was given; see :func:`parse_rule` for what is allowed."""

    event_type: str
    source_scope_kind: str
    source_scope_value: str | None
    target_rule: str
    target_value: str | None
    master_rule: str
    master_value: str | None
    template: str


@dataclass(frozen=True, slots=True)
class Matched:
    """The event becomes a prompt."""

    master: AgentFacts
    target: AgentFacts
    text: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """The event becomes no prompt, and this is why."""

    reason: SkipReason
    master: AgentFacts | None = None
    target: AgentFacts | None = None
    sub_reason: RenderProblem | None = None


class Registry:
    """Agents at one moment: the active ones, and those inactive ones that somebody names."""

    def __init__(self, agents: Iterable[AgentFacts]) -> None:
        self._by_id = {agent.agent_id: agent for agent in agents}

    def by_id(self, agent_id: str) -> AgentFacts | None:
        """The agent, active or not."""
        return self._by_id.get(agent_id)

    def lowest(self, fits: Callable[[AgentFacts], bool]) -> AgentFacts | None:
        """Of the active agents that fit, the one with the lexically lowest id."""
        fitting = [agent for agent in self._by_id.values() if agent.active and fits(agent)]
        return min(fitting, key=lambda agent: agent.agent_id, default=None)

    def labelled(self, label: str) -> list[AgentFacts]:
        """The active agents of that very label."""
        return [agent for agent in self._by_id.values() if agent.active and agent.label == label]


# --- saying a rule -------------------------------------------------------------------------------


def check_rule(rule: Rule) -> None:
    """Refuse a rule that is not well said; the first problem in the order of section 10.1 counts.

    :raises AgentTowerError: with the code of the part that is not well said.
    """
    if rule.event_type not in EVENT_TYPES:
        raise RouteEventTypeInvalid(
            f"event_type must be one of {', '.join(EVENT_TYPES)}, not {_shown(rule.event_type)}"
        )
    _check_master(rule.master_rule, rule.master_value)
    _check_target(rule.target_rule, rule.target_value)
    _check_scope(rule.source_scope_kind, rule.source_scope_value)
    if rule.target_rule == "role":
        _parse_role("target_value", rule.target_value, TARGET_ROLES, RouteTargetRuleInvalid)
    parse_template(rule.template)


def _check_master(rule: str, value: str | None) -> None:
    if rule not in MASTER_RULES:
        raise RouteMasterRuleInvalid(
            f"master_rule must be one of {', '.join(MASTER_RULES)}, not {_shown(rule)}"
        )
    if rule == "auto" and value is not None:
        raise RouteMasterRuleInvalid("master_value must be left out where master_rule is auto")
    if rule == "explicit" and not is_agent_id(value):
        raise RouteMasterRuleInvalid(
            f"master_value must be an agent id such as agt_0123456789ab, not {_shown(value)}"
        )


def _check_target(rule: str, value: str | None) -> None:
    if rule not in TARGET_RULES:
        raise RouteTargetRuleInvalid(
            f"target_rule must be one of {', '.join(TARGET_RULES)}, not {_shown(rule)}"
        )
    if rule == "source":
        if value is not None:
            raise RouteTargetRuleInvalid(
                "target_value must be left out where target_rule is source"
            )
        return
    if not value:
        raise RouteTargetRuleInvalid(f"target_value is needed where target_rule is {rule}")
    if rule == "explicit" and (len(value) > MAX_LABEL or not value.isprintable()):
        raise RouteTargetRuleInvalid(
            f"target_value must be an agent id or a label of at most {MAX_LABEL} characters, "
            f"not {_shown(value)}"
        )


def _check_scope(kind: str, value: str | None) -> None:
    if kind not in SCOPES:
        raise RouteSourceScopeInvalid(
            f"source_scope_kind must be one of {', '.join(SCOPES)}, not {_shown(kind)}"
        )
    if kind == "any" and value is not None:
        raise RouteSourceScopeInvalid(
            "source_scope_value must be left out where source_scope_kind is any"
        )
    if kind == "agent_id" and not is_agent_id(value):
        raise RouteSourceScopeInvalid(
            f"source_scope_value must be an agent id such as agt_0123456789ab, not {_shown(value)}"
        )
    if kind == "role":
        _parse_role("source_scope_value", value, tuple(Role), RouteSourceScopeInvalid)


def _parse_role(
    field: str, value: str | None, roles: tuple[Role, ...], refusal: type[AgentTowerError]
) -> RoleValue:
    match = _ROLE_VALUE.fullmatch(value or "")
    if match is None:
        raise refusal(
            f"{field} must be written role:<role> or role:<role>,capability:<capability>, "
            f"without spaces, not {_shown(value)}"
        )
    if match[1] not in roles:
        raise refusal(f"{field}: the role must be one of {', '.join(roles)}, not {match[1][:40]}")
    return RoleValue(match[1], match[2])


def _role_value(value: str | None) -> RoleValue:
    """The value of a stored rule, which was checked when it was made."""
    return _parse_role("value", value, tuple(Role), RouteSourceScopeInvalid)


def _shown(value: object) -> str:
    return "nothing" if value is None else ascii(value)[:80]


# --- judging an event ----------------------------------------------------------------------------


def concerns(rule: Rule, agent_id: str, source: AgentFacts | None) -> bool:
    """Whether a route heeds what this agent does. Its role is that of now: events hold none.

    :param source: the agent; ``None`` where it is no longer registered, and so has no role.
    """
    match rule.source_scope_kind:
        case "any":
            return True
        case "agent_id":
            return rule.source_scope_value == agent_id
        case _:
            return source is not None and _role_value(rule.source_scope_value).fits(source)


def decide(rule: Rule, event: EventFacts, registry: Registry) -> Matched | Skipped:
    """What becomes of an event that the route heeds: master first, then target, then the text."""
    master = _master(rule, registry)
    if isinstance(master, Skipped):
        return master
    target = _target(rule, event, registry, master)
    if isinstance(target, Skipped):
        return target
    text = _render(parse_template(rule.template), event, registry)
    if isinstance(text, RenderProblem):
        return Skipped(SkipReason.TEMPLATE_RENDER_ERROR, master, target, text)
    return Matched(master, target, text)


def _master(rule: Rule, registry: Registry) -> AgentFacts | Skipped:
    if rule.master_rule == "auto":
        lowest = registry.lowest(lambda agent: agent.role == Role.MASTER)
        return lowest or Skipped(SkipReason.NO_ELIGIBLE_MASTER)
    named = registry.by_id(rule.master_value or "")
    if named is None:
        return Skipped(SkipReason.MASTER_NOT_FOUND)
    if not named.active or named.role != Role.MASTER:
        return Skipped(SkipReason.MASTER_INACTIVE)
    return named


def _target(
    rule: Rule, event: EventFacts, registry: Registry, master: AgentFacts
) -> AgentFacts | Skipped:
    if rule.target_rule == "role":
        lowest = registry.lowest(_role_value(rule.target_value).fits)
        return lowest or Skipped(SkipReason.NO_ELIGIBLE_TARGET, master)
    if rule.target_rule == "source":
        source = registry.by_id(event.agent_id)
        if source is not None and not source.active:
            return Skipped(SkipReason.TARGET_NOT_ACTIVE, master, source)
        return source or Skipped(SkipReason.TARGET_NOT_FOUND, master)
    name = rule.target_value or ""
    if is_agent_id(name):
        found = registry.by_id(name)
        return found or Skipped(SkipReason.TARGET_NOT_FOUND, master)
    labelled = registry.labelled(name)
    return labelled[0] if len(labelled) == 1 else Skipped(SkipReason.TARGET_NOT_FOUND, master)


def _render(template: Template, event: EventFacts, registry: Registry) -> str | RenderProblem:
    source = registry.by_id(event.agent_id)
    shown = event_excerpt(event)
    if shown == NO_EXCERPT and "event_excerpt" in template.fields:
        return RenderProblem.REDACTOR_FAILURE
    values = {
        "event_id": str(event.event_id),
        "event_type": event.event_type,
        "source_agent_id": event.agent_id,
        "source_label": source.label or None if source else None,
        "source_role": source.role if source else None,
        "source_capability": source.capability or None if source else None,
        "event_excerpt": shown,
        "observed_at": event.observed_at,
    }
    try:
        text = template.render(values)
        check_body(text.encode("utf-8", "surrogatepass"))
    except MissingField:
        return RenderProblem.MISSING_FIELD
    except BodyRefused as error:
        return RenderProblem(error.code)
    return text


def event_excerpt(event: EventFacts) -> str:
    """The words of an event as prompts and audit lines show them: one line, redacted, short."""
    return excerpt(event.excerpt.encode("utf-8", "replace"))
