"""Decoding ``app.route.add`` (app surface, section 19.1)."""

from __future__ import annotations

from typing import Any

from msgspec import convert, structs

from agenttower.domain.route_rules import Rule, check_rule
from agenttower.errors import AgentTowerError, ValidationFailed
from agenttower.protocol.app.entities import RouteMaster, RouteTarget, SourceScope
from agenttower.protocol.app.routes import AddRoute
from agenttower.protocol.declaration import Params
from agenttower.rpc.app.decode import check
from agenttower.rpc.app.refusals import PARTS_OF_A_RULE

_ORDER = ("event_type", "master", "target", "source_scope", "template")
_FIELDS = {field.encode_name: field for field in structs.fields(AddRoute)}
_SOUND: dict[str, Any] = {
    "event_type": "error",
    "master": RouteMaster(),
    "target": RouteTarget("source"),
    "source_scope": SourceScope(),
    "template": "x",
}
"""Stands for what comes after a part that is wrong, so that the parts before it can be judged."""


def add_params(params: Params) -> Rule:
    """The rule of a route. :raises ValidationFailed: for the first part, in the order of section
    19.1; its reason says what of that part."""
    parts = dict(_SOUND)
    for name in _ORDER:
        try:
            parts[name] = _part(name, params)
        except ValidationFailed:
            # The value of a target is judged after the source scope.
            _judge(parts | ({"target": _SOUND["target"]} if name == "source_scope" else {}))
            raise
    _judge(parts)
    return _rule(parts)


def _part(name: str, params: Params) -> object:
    field = _FIELDS[name]
    if name not in params:
        if field.required:
            raise ValidationFailed(name, "missing")
        return _SOUND[name]
    try:
        check(name, params[name], field.type)
    except ValidationFailed as error:
        inside, reason = str(error.details["field"])[len(name) + 1 :], error.details["reason"]
        raise ValidationFailed(name, f"{inside}: {reason}" if inside else str(reason)) from error
    return convert(params[name], field.type)


def _judge(parts: dict[str, Any]) -> None:
    try:
        check_rule(_rule(parts))
    except AgentTowerError as error:
        field = PARTS_OF_A_RULE[type(error)]
        raise ValidationFailed(field, str(error.details["reason"])) from error


def _rule(parts: dict[str, Any]) -> Rule:
    scope, target, master = parts["source_scope"], parts["target"], parts["master"]
    return Rule(
        event_type=parts["event_type"],
        source_scope_kind=scope.kind,
        source_scope_value=scope.value,
        target_rule=target.rule,
        target_value=target.value,
        master_rule=master.rule,
        master_value=master.value,
        template=parts["template"],
    )
