"""What a route may say: which events it heeds, in whose name it speaks, and whom it prompts. Pure.

Legacy surfaces part 2, sections 9 and 10. A rule is checked once, when its route is made.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from agenttower.domain.agent_events import AGENT_EVENT_TYPES
from agenttower.domain.cleaning import MAX_APP_LABEL
from agenttower.domain.identifiers import is_agent_id
from agenttower.domain.permissions import Role
from agenttower.domain.route_template import parse_template
from agenttower.errors import (
    AgentTowerError,
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
MAX_LABEL = MAX_APP_LABEL
"""The longest label that an agent can have."""

_ROLE_VALUE = re.compile(r"role:([A-Za-z0-9_-]+)(?:,capability:([A-Za-z0-9_-]+))?")


@dataclass(frozen=True, slots=True)
class RoleValue:
    """``role:<role>[,capability:<capability>]``."""

    role: str
    capability: str | None


@dataclass(frozen=True, slots=True)
class Rule:
    """What a route says, as it was given; see :func:`check_rule` for what is allowed."""

    event_type: str
    source_scope_kind: str
    source_scope_value: str | None
    target_rule: str
    target_value: str | None
    master_rule: str
    master_value: str | None
    template: str


def check_rule(rule: Rule) -> None:
    """Refuse a rule that is not well said; the first problem in the order of section 10.1 counts.

    :raises AgentTowerError: with the code of the part that is not well said; its ``reason`` names
        the rule and shows no value.
    """
    if rule.event_type not in EVENT_TYPES:
        known = ", ".join(EVENT_TYPES)
        raise RouteEventTypeInvalid(
            f"event_type must be one of {known}, not {_shown(rule.event_type)}",
            reason="unknown value",
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
            f"master_rule must be one of {', '.join(MASTER_RULES)}, not {_shown(rule)}",
            reason="rule: unknown value",
        )
    if rule == "auto" and value is not None:
        raise RouteMasterRuleInvalid(
            "master_value must be left out where master_rule is auto",
            reason="value: must be null where rule is auto",
        )
    if rule == "explicit" and not is_agent_id(value):
        raise RouteMasterRuleInvalid(
            f"master_value must be an agent id such as agt_0123456789ab, not {_shown(value)}",
            reason="value: must be an agent id",
        )


def _check_target(rule: str, value: str | None) -> None:
    if rule not in TARGET_RULES:
        raise RouteTargetRuleInvalid(
            f"target_rule must be one of {', '.join(TARGET_RULES)}, not {_shown(rule)}",
            reason="rule: unknown value",
        )
    if rule == "source":
        if value is not None:
            raise RouteTargetRuleInvalid(
                "target_value must be left out where target_rule is source",
                reason="value: must be null where rule is source",
            )
        return
    if not value:
        raise RouteTargetRuleInvalid(
            f"target_value is needed where target_rule is {rule}",
            reason="value: missing or empty",
        )
    if rule == "explicit" and (len(value) > MAX_LABEL or not value.isprintable()):
        raise RouteTargetRuleInvalid(
            f"target_value must be an agent id or a label of at most {MAX_LABEL} characters, "
            f"not {_shown(value)}",
            reason=f"value: must be an agent id or a label of at most {MAX_LABEL} characters",
        )


def _check_scope(kind: str, value: str | None) -> None:
    if kind not in SCOPES:
        raise RouteSourceScopeInvalid(
            f"source_scope_kind must be one of {', '.join(SCOPES)}, not {_shown(kind)}",
            reason="kind: unknown value",
        )
    if kind == "any" and value is not None:
        raise RouteSourceScopeInvalid(
            "source_scope_value must be left out where source_scope_kind is any",
            reason="value: must be null where kind is any",
        )
    if kind == "agent_id" and not is_agent_id(value):
        raise RouteSourceScopeInvalid(
            f"source_scope_value must be an agent id such as agt_0123456789ab, not {_shown(value)}",
            reason="value: must be an agent id",
        )
    if kind == "role":
        _parse_role("source_scope_value", value, tuple(Role), RouteSourceScopeInvalid)


def _parse_role(
    field: str, value: str | None, roles: tuple[Role, ...], refusal: type[AgentTowerError]
) -> RoleValue:
    match = _ROLE_VALUE.fullmatch(value or "")
    written = "must be written role:<role> or role:<role>,capability:<capability>, without spaces"
    if match is None:
        raise refusal(f"{field} {written}, not {_shown(value)}", reason=f"value: {written}")
    if match[1] not in roles:
        allowed = f"the role must be one of {', '.join(roles)}"
        raise refusal(f"{field}: {allowed}, not {match[1][:40]}", reason=f"value: {allowed}")
    return RoleValue(match[1], match[2])


def role_value(value: str | None) -> RoleValue:
    """The value of a stored rule, which was checked when it was made."""
    return _parse_role("value", value, tuple(Role), RouteSourceScopeInvalid)


def _shown(value: object) -> str:
    return "nothing" if value is None else ascii(value)[:80]
