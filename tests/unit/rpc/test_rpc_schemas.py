"""Shapes of parameters: real field names, plain words, nothing coerced."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from agenttower.errors import (
    BadRequest,
    SchemaVersionNewer,
    UnknownFilter,
    ValidationFailed,
    ValueOutOfSet,
)
from agenttower.protocol.agents import ListAgents
from agenttower.protocol.declaration import NoParams
from agenttower.protocol.discovery import ListContainers
from agenttower.protocol.managed import (
    CreateLayout,
    ListEvents,
    ListLayouts,
    PaneDetail,
    WatchLayout,
)
from agenttower.protocol.prompts import SendInput
from agenttower.rpc.schemas import lenient, strict
from agenttower.rpc.schemas_agents import agent_filters

OVERRIDES = "launch_command_overrides"
CHAIN = "include_predecessor_chain"
CREATE = {"container_id": "c", "template_name": "1m+2s", "tmux_session_name": "s"}


@pytest.mark.parametrize(
    ("struct", "params", "field", "reason"),
    [
        (CreateLayout, {}, "container_id", "is required and was not given"),
        (CreateLayout, {"container_id": "c"}, "template_name", "is required and was not given"),
        (CreateLayout, {**CREATE, "container_id": None}, "container_id", "not null"),
        (CreateLayout, {**CREATE, "template_name": 3}, "template_name", "must be a string, not a"),
        (CreateLayout, {**CREATE, "tmux_session_name": ["s"]}, "tmux_session_name", "not a list"),
        (CreateLayout, {**CREATE, "label_prefix": 3}, "label_prefix", "must be a string"),
        (CreateLayout, {**CREATE, "idempotency_key": 1}, "idempotency_key", "must be a string"),
        (CreateLayout, {**CREATE, OVERRIDES: []}, OVERRIDES, "object"),
        (CreateLayout, {**CREATE, OVERRIDES: {"a": 1}}, OVERRIDES, "every entry must be"),
        (CreateLayout, {**CREATE, "labelprefix": "x"}, "labelprefix", "known are container_id, "),
        (ListLayouts, {"state": "gone"}, "state", "must be one of creating, ready, degraded"),
        (ListLayouts, {"state": ["ready", "gone"]}, "state", "every entry must be one of"),
        (ListLayouts, {"state": 1}, "state", "must be a string or a list"),
        (ListLayouts, {"limit": 0}, "limit", "a whole number of at least 1"),
        (ListLayouts, {"limit": 201}, "limit", "a whole number of at most 200"),
        (ListLayouts, {"limit": True}, "limit", "must be a whole number, not true or false"),
        (ListLayouts, {"limit": "5"}, "limit", "not a string"),
        (ListLayouts, {"limit": 5.0}, "limit", "must be a whole number"),
        (ListLayouts, {"after": 3}, "after", "must be a string"),
        (PaneDetail, {"pane_id": "p", CHAIN: 1}, CHAIN, "true or false"),
        (WatchLayout, {"layout_id": "l", "wait_seconds": 25.5}, "wait_seconds", "at most 25"),
        (WatchLayout, {"layout_id": "l", "wait_seconds": -1}, "wait_seconds", "at least 0"),
        (WatchLayout, {"layout_id": "l", "after_revision": -1}, "after_revision", "at least 0"),
        (ListEvents, {"after": 2**63}, "after", "at most 9223372036854775807"),
        (ListEvents, {"wait_seconds": "1"}, "wait_seconds", "must be a number"),
        (SendInput, {"target": ""}, "target", "must be a string of at least 1 character"),
    ],
)  # fmt: skip
def test_strict_names_the_field(
    struct: type[Any], params: dict[str, object], field: str, reason: str
) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        strict(struct)(params)
    assert refusal.value.details["field"] == field
    assert reason in str(refusal.value.details["reason"])
    assert "`" not in refusal.value.message


def test_strict_gives_defaults() -> None:
    assert strict(CreateLayout)(CREATE) == CreateLayout("c", "1m+2s", "s")
    assert strict(ListLayouts)({}).limit == 50
    assert strict(ListLayouts)({"state": ["ready"], "limit": 200, "after": None}).limit == 200
    assert strict(ListEvents)({"wait_seconds": 25}).wait_seconds == 25.0


def test_a_long_unknown_key_is_shown_shortened() -> None:
    with pytest.raises(ValidationFailed) as refusal:
        strict(PaneDetail)({"x" * 500: 1})
    assert len(refusal.value.message) < 300


def test_lenient_ignores_what_it_does_not_know() -> None:
    assert lenient(NoParams)({"anything": object()}) == NoParams()
    assert lenient(ListContainers)({"active_only": True, "x": 1}).active_only is True


@pytest.mark.parametrize("value", [0, 1, "true", None, []])
def test_lenient_booleans_are_strict(value: object) -> None:
    with pytest.raises(BadRequest):
        lenient(ListContainers)({"active_only": value})


def agents(**params: object) -> ListAgents:
    decoded = agent_filters(ListAgents, lambda: 9)(params)
    return msgspec.structs.replace(decoded, schema_version=UNSET)


def test_agent_filters() -> None:
    assert agents() == ListAgents()
    assert agents(role="slave").role == "slave"
    assert agents(role=["slave", "swarm"]).role == ["slave", "swarm"]
    assert agents(role=[]).role == []
    assert agents(container_id="a" * 12).container_id == "a" * 12
    assert agents(container_id="a" * 64, active_only=True).active_only is True
    assert agents(parent_agent_id="agt_0123456789ab").parent_agent_id == "agt_0123456789ab"
    assert agents(schema_version=9) == agents(schema_version=10) == agents()


@pytest.mark.parametrize(
    "params",
    [
        {"role": "boss"},
        {"role": "Slave"},
        {"role": None},
        {"role": 3},
        {"role": ["slave", 3]},
        {"role": [["slave"]]},
        {"container_id": "a" * 13},
        {"container_id": "A" * 12},
        {"container_id": "a" * 12 + "\n"},
        {"container_id": None},
        {"active_only": 1},
        {"active_only": "true"},
        {"parent_agent_id": "agt_xyz"},
        {"parent_agent_id": ""},
    ],
)
def test_agent_filter_values_out_of_set(params: dict[str, object]) -> None:
    with pytest.raises(ValueOutOfSet):
        agents(**params)


def test_agent_filters_check_schema_then_keys_then_values() -> None:
    with pytest.raises(SchemaVersionNewer):
        agents(schema_version=8, nonsense=1, role="boss")
    for odd in (True, "9", 9.0, None):
        with pytest.raises(BadRequest):
            agents(schema_version=odd, nonsense=1)
    with pytest.raises(UnknownFilter):
        agents(schema_version=9, nonsense=1, role="boss")
    with pytest.raises(UnknownFilter):
        agents(capability="codex")
