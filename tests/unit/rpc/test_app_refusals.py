"""Whatever a service raises, ``app.*`` answers by a code of its closed set."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from agenttower import errors
from agenttower.errors import AgentTowerError, RecordedError
from agenttower.protocol.app.errors import COMMON, ERRORS
from agenttower.protocol.managed_errors import MANAGED_ERRORS
from agenttower.rpc.app import refusals
from agenttower.rpc.app.refusals import in_app_words, in_managed_words

TABLES = {
    name: table for name, table in vars(refusals).items() if name.isupper() and name[0] != "_"
}
PARAMS = SimpleNamespace(
    agent_id="agt_1",
    parent_agent_id="agt_2",
    target_agent_id="agt_3",
    pane_id="%0",
    message_id="m",
    route_id="r",
)
DETAILS = {
    "agent_id": "agt_1",
    "container_id": "c",
    "pane_id": "%0",
    "mismatch_field": "pane_id",
}


def kinds(kind: type[AgentTowerError]) -> list[type[AgentTowerError]]:
    return [kind, *(each for sub in kind.__subclasses__() for each in kinds(sub))]


def raised(kind: type[AgentTowerError]) -> AgentTowerError:
    error = kind.__new__(kind)
    AgentTowerError.__init__(error, "what happened", **DETAILS)
    return error


KINDS = [
    kind for kind in dict.fromkeys(kinds(AgentTowerError)) if kind.__module__ == errors.__name__
]


@pytest.mark.parametrize("table", [name for name in TABLES if isinstance(TABLES[name], dict)])
def test_nothing_else_reaches_the_wire(table: str) -> None:
    lines: Any = TABLES[table]
    if not all(isinstance(line, refusals.Refusal) for line in lines.values()):
        return
    for kind in KINDS:
        if kind in (errors.ValidationFailed, RecordedError):
            continue
        told = in_app_words(lines, raised(kind), PARAMS)
        if isinstance(told, errors.HostOnly):
            continue
        assert told.message == "what happened"
        msgspec.convert(told.details, ERRORS[told.code])
        recorded = in_app_words(lines, RecordedError(kind.code, "x", DETAILS), PARAMS)
        msgspec.convert(recorded.details, ERRORS[recorded.code])


def test_managed_codes_are_theirs() -> None:
    for kind in KINDS:
        if kind in (errors.ValidationFailed, RecordedError):
            continue
        code = in_managed_words(raised(kind)).code
        assert code in ERRORS or code in MANAGED_ERRORS
    assert in_managed_words(raised(errors.DockerPermissionDenied)).code == "docker_unavailable"


def test_a_value_is_not_shown() -> None:
    error = errors.ValidationFailed("label", "'x;' is odd", "must be even")
    assert in_managed_words(error).details == {"field": "label", "reason": "must be even"}


def test_codes_are_declared() -> None:
    from agenttower.protocol.app import agents, managed, prompts, routes

    declared = {
        "REGISTER_WITH_LOG": agents.REGISTER_FROM_PANE,
        "REGISTER": agents.REGISTER_FROM_PANE,
        "UPDATE": agents.UPDATE,
        "ATTACH": agents.ATTACH_LOG,
        "DETACH": agents.DETACH_LOG,
        "SEND_INPUT": prompts.SEND_INPUT,
        "QUEUE": prompts.APPROVE,
        "ROUTE": routes.UPDATE,
    }
    for name, declaration in declared.items():
        codes = {line.code for line in TABLES[name].values()}
        assert codes <= set(declaration.errors), name
        assert set(declaration.errors) <= set(ERRORS), name
        assert not set(declaration.errors) & (set(COMMON) - {"permission_denied"})
    for each, _ in managed.OF_MANAGED:
        assert set(each.errors) <= {*ERRORS, *MANAGED_ERRORS}, each.name
