"""What becomes of an event, by one route and the registry as it is at that moment. Pure.

Legacy surfaces part 2, section 11.3: first the master, then the target, then the text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from agenttower.domain.identifiers import is_agent_id
from agenttower.domain.permissions import Role
from agenttower.domain.prompts import NO_EXCERPT, check_body, excerpt
from agenttower.domain.route_rules import Rule, role_value
from agenttower.domain.route_template import MissingField, Template, parse_template
from agenttower.errors import BodyRefused


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
            return source is not None and _fits(rule.source_scope_value, source)


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
        lowest = registry.lowest(lambda agent: _fits(rule.target_value, agent))
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


def _fits(value: str | None, agent: AgentFacts) -> bool:
    """Whether the agent has the role that is named and, where one is named, the capability."""
    wanted = role_value(value)
    return agent.role == wanted.role and wanted.capability in (None, agent.capability)


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
