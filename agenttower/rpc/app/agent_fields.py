"""Decoding what ``app.*`` says of agents (app surface, sections 14 and 15)."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import UNSET, convert, structs

from agenttower.domain.cleaning import MAX_APP_LABEL, MAX_PATH, clean, project_path_problem
from agenttower.domain.permissions import Role
from agenttower.domain.templates import capability_problem
from agenttower.errors import ValidationFailed
from agenttower.protocol.app.agents import RegisterFromPane, UpdateAgent
from agenttower.protocol.declaration import Params
from agenttower.rpc.app.decode import app_params, check

_NOT_CLEARABLE = {
    "role": "field is not clearable; provide a valid value from the role closed set",
    "capability": "field is not clearable; provide a non-empty value",
}
_shape = app_params(RegisterFromPane)
_UPDATED = {field.encode_name: field.type for field in structs.fields(UpdateAgent)}


@dataclass(frozen=True, slots=True)
class AgentUpdate:
    """Parameters of ``app.agent.update``: the fields that were named, and no others."""

    agent_id: str
    changes: dict[str, str]


def register_params(params: Params) -> RegisterFromPane:
    """Decode ``app.agent.register_from_pane``. :raises ValidationFailed: for the first field."""
    wanted = _shape(params)
    if wanted.role is Role.MASTER:
        raise ValidationFailed(
            "role", "master cannot be assigned by registration; adopt first, then update"
        )
    fitted = {name: fit(name, getattr(wanted, name)) for name in ("capability", "label")}
    if wanted.project_path is not UNSET:
        fitted["project_path"] = fit("project_path", wanted.project_path)
    return structs.replace(wanted, **fitted)


def update_params(params: Params) -> AgentUpdate:
    """Decode ``app.agent.update``.

    :raises ValidationFailed: for the first field that does not fit, in the order of the request.
    """
    changes: dict[str, str] = {}
    for name, value in params.items():
        if name not in _UPDATED:
            continue
        if value == "" and name in _NOT_CLEARABLE:
            raise ValidationFailed(name, _NOT_CLEARABLE[name])
        check(name, value, _UPDATED[name])
        if name != "agent_id":
            changes[name] = fit(name, convert(value, str)) if value else ""
    if "agent_id" not in params:
        raise ValidationFailed("agent_id", "missing")
    return AgentUpdate(convert(params["agent_id"], str), changes)


def fit(name: str, value: str) -> str:
    """A value as it is kept, by the rules of section 14.

    :raises ValidationFailed: it breaks one.
    """
    if name == "label":
        value = value.strip()
        if "\r" in value or "\n" in value:
            raise ValidationFailed(name, "embedded newline")
        _check_length(name, value, MAX_APP_LABEL)
        return clean(value)
    problem = None
    if name == "capability":
        problem = capability_problem(value)
    elif name == "role" and value == Role.SWARM:
        problem = "swarm is given at registration only, with a parent"
    elif name == "project_path":
        _check_length(name, value, MAX_PATH)
        problem = project_path_problem(value)
    if problem is not None:
        raise ValidationFailed(name, problem)
    return value


def _check_length(name: str, value: str, longest: int) -> None:
    if len(value) > longest:
        raise ValidationFailed(name, f"max length {longest}")
