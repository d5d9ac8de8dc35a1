"""``register_agent`` and ``set_*``: their checks, in the contract's order, and what they write."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from agenttower.bench.interface import FoundPane
from agenttower.domain.permissions import effective_permissions
from agenttower.errors import AgentTowerError
from agenttower.services.caller import HOST, Caller
from agenttower.services.registration import Registered
from agenttower.store.panes import PaneKey
from tests.support.registry_rows import C1, C2, Registry, found, open_registry

NOBODY = "agt_ffffffffffff"
PARENT, CHILD, THIRD = (found(pane_id=f"%{number}", pane_index=number) for number in range(3))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with open_registry(tmp_path) as registry:
        registry.scan(PARENT, CHILD, THIRD)
        yield registry


def code(action: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(AgentTowerError) as refused:
        action(*arguments, **named)
    return refused.value.code


def test_a_first_registration(registry: Registry) -> None:
    done = registry.register(PARENT, caller=Caller("bench", C1, uid=1000), role="slave")
    assert done["created_or_reactivated"] == "created"
    assert (done["origin"], done["role"], done["capability"]) == ("adopted", "slave", "unknown")
    assert (done["label"], done["project_path"], done["parent_agent_id"]) == ("", "", None)
    assert (done["container_name"], done["container_user"]) == ("one", "root")
    assert (done["pane_pid"], done["cwd"], done["last_seen_at"]) == (100, "/src", None)
    assert done["effective_permissions"] == effective_permissions("slave")
    [line] = map(json.loads, registry.audits("agent_role_change"))
    assert line == {
        "agent_id": done["agent_id"],
        "prior_role": None,
        "new_role": "slave",
        "confirm_provided": False,
        "socket_peer_uid": 1000,
    }


def test_what_is_not_named_stays(registry: Registry) -> None:
    first = registry.register(
        PARENT, role="slave", capability="codex", label="l", project_path="/p"
    )
    again = registry.register(PARENT)
    assert again["created_or_reactivated"] == "updated"
    changing = {"created_or_reactivated", "last_registered_at"}
    assert {k: v for k, v in again.items() if k not in changing} == {
        k: v for k, v in first.items() if k not in changing
    }
    assert len(registry.audits("agent_role_change")) == 1
    moved = registry.register(PARENT, role="shell", label="", capability="my-own-thing")
    assert (moved["role"], moved["label"], moved["capability"], moved["project_path"]) == (
        "shell", "", "my-own-thing", "/p",
    )  # fmt: skip
    assert len(registry.audits("agent_role_change")) == 2


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ({"role": "boss"}, "value_out_of_set"),
        ({"role": "Slave"}, "value_out_of_set"),
        ({"capability": "Codex"}, "value_out_of_set"),
        ({"parent_agent_id": "agt_1"}, "value_out_of_set"),
        ({"role": "boss", "label": "x" * 65}, "value_out_of_set"),
        ({"label": "x" * 65, "role": "master"}, "field_too_long"),
        ({"project_path": "p"}, "project_path_invalid"),
        ({"project_path": ""}, "project_path_invalid"),
        ({"project_path": "/a/../b"}, "project_path_invalid"),
        ({"project_path": "/a\0b"}, "project_path_invalid"),
        ({"project_path": "/" + "x" * 4096}, "field_too_long"),
        ({"role": "master", "parent_agent_id": NOBODY}, "master_via_register_self_rejected"),
        ({"role": "swarm"}, "swarm_parent_required"),
        ({"role": "swarm", "parent_agent_id": None}, "swarm_parent_required"),
        ({"role": "slave", "parent_agent_id": NOBODY}, "parent_role_mismatch"),
        ({"parent_agent_id": NOBODY}, "parent_role_mismatch"),
        ({"role": "swarm", "parent_agent_id": NOBODY}, "parent_not_found"),
    ],
)
def test_refusals_come_before_any_row(
    registry: Registry, given_: dict[str, Any], expected: str
) -> None:
    assert code(registry.register, CHILD, **given_) == expected
    assert registry.rows("agent") == []
    assert registry.audits("agent_role_change") == []


def test_a_label_is_cleaned_before_it_is_measured(registry: Registry) -> None:
    assert registry.register(PARENT, label="\x1b" + "x" * 63 + "\t")["label"] == "x" * 63 + " "


@pytest.mark.parametrize("given_", [{}, {"role": "swarm", "parent_agent_id": NOBODY}])
def test_a_pane_must_be_alive(registry: Registry, given_: dict[str, Any]) -> None:
    """That comes before the parent is looked at, and after the shape of the swarm rule."""
    stranger = found(pane_id="%9")
    assert code(registry.register, stranger, **given_) == "pane_unknown_to_daemon"
    assert code(registry.register, stranger, role="swarm") == "swarm_parent_required"
    registry.container(C1, "one", active=False)
    assert code(registry.register, PARENT, **given_) == "pane_unknown_to_daemon"


def test_a_swarm_has_two_levels(registry: Registry) -> None:
    parent = registry.register(PARENT, role="slave")["agent_id"]
    child = registry.register(CHILD, role="swarm", parent_agent_id=parent)
    assert child["parent_agent_id"] == parent
    named = {"role": "swarm", "parent_agent_id": child["agent_id"]}
    assert code(registry.register, THIRD, **named) == "parent_role_invalid"
    registry.scan(CHILD, THIRD)
    named = {"role": "swarm", "parent_agent_id": parent}
    assert code(registry.register, THIRD, **named) == "parent_inactive"
    # The child stays what it is, whatever became of its parent.
    assert registry.register(CHILD, role="swarm")["parent_agent_id"] == parent


def test_a_parent_is_for_ever(registry: Registry) -> None:
    parent = registry.register(PARENT, role="slave")["agent_id"]
    swarm = {"role": "swarm", "parent_agent_id": parent}
    child = registry.register(CHILD, **swarm)["agent_id"]
    lone = registry.register(THIRD, role="slave", label="kept")["agent_id"]
    before = registry.rows("agent")
    assert code(registry.register, THIRD, **swarm, label="new") == "parent_immutable"
    assert code(registry.register, CHILD, parent_agent_id=None) == "parent_immutable"
    assert code(registry.register, CHILD, **{**swarm, "parent_agent_id": lone}) == (
        "parent_immutable"
    )
    assert registry.rows("agent") == before
    assert registry.register(CHILD, **swarm)["agent_id"] == child


def test_an_agent_that_left_the_swarm_can_still_be_registered(registry: Registry) -> None:
    parent = registry.register(PARENT, role="slave")["agent_id"]
    child = registry.register(CHILD, role="swarm", parent_agent_id=parent)["agent_id"]
    registry.settings.set_role(HOST, child, "slave", confirm=False)
    for given_ in ({}, {"label": "x"}, {"role": "slave"}, {"parent_agent_id": parent}):
        again = registry.register(CHILD, **given_)
        assert (again["role"], again["parent_agent_id"]) == ("slave", parent)
    back = registry.register(CHILD, role="swarm")
    assert (back["role"], back["parent_agent_id"]) == ("swarm", parent)


def test_a_bench_client_stays_in_its_container(registry: Registry) -> None:
    registry.container(C2, "two")
    parent = registry.register(PARENT, role="slave")["agent_id"]
    foreign = Caller("bench", C2)
    assert code(registry.register, CHILD, caller=foreign) == "host_only"
    for agent_id in (parent, NOBODY):
        assert code(registry.settings.set_label, foreign, agent_id, "x") == "host_only"
        assert (
            code(registry.settings.set_role, foreign, agent_id, "shell", confirm=False)
            == "host_only"
        )
    own = Caller("bench", C1)
    assert registry.settings.set_label(own, parent, "x")["new_value"] == "x"
    assert code(registry.settings.set_role, own, parent, "master", confirm=True) == "host_only"


def test_setting_a_role(registry: Registry) -> None:
    agent_id = registry.register(PARENT, role="slave")["agent_id"]
    confirm = {"confirm": True}
    assert code(registry.settings.set_role, HOST, "agt_1", "swarm", **confirm) == "value_out_of_set"
    assert code(registry.settings.set_role, HOST, NOBODY, "boss", **confirm) == "value_out_of_set"
    assert code(registry.settings.set_role, HOST, NOBODY, "swarm", **confirm) == (
        "swarm_role_via_set_role_rejected"
    )
    assert code(registry.settings.set_role, HOST, NOBODY, "master", confirm=False) == (
        "master_confirm_required"
    )
    assert code(registry.settings.set_role, HOST, NOBODY, "master", **confirm) == "agent_not_found"
    done = registry.settings.set_role(HOST, agent_id, "master", confirm=True)
    assert done == {
        "agent_id": agent_id,
        "field": "role",
        "prior_value": "slave",
        "new_value": "master",
        "effective_permissions": effective_permissions("master"),
        "audit_appended": True,
    }
    same = registry.settings.set_role(HOST, agent_id, "master", confirm=True)
    assert (same["prior_value"], same["audit_appended"]) == ("master", False)
    line = json.loads(registry.audits("agent_role_change")[-1])
    assert (line["prior_role"], line["confirm_provided"]) == ("slave", True)
    assert registry.settings.set_role(HOST, agent_id, "shell", confirm=False)["audit_appended"]
    registry.container(C1, "one", active=False)
    assert code(registry.settings.set_role, HOST, agent_id, "slave", confirm=False) == (
        "agent_inactive"
    )
    assert registry.settings.set_label(HOST, agent_id, "still")["audit_appended"] is False


def test_setting_label_and_capability(registry: Registry) -> None:
    agent_id = registry.register(PARENT, role="slave", label="a")["agent_id"]
    done = registry.settings.set_label(HOST, agent_id, "b\t")
    assert (done["field"], done["prior_value"], done["new_value"]) == ("label", "a", "b ")
    assert code(registry.settings.set_label, HOST, NOBODY, "x" * 65) == "field_too_long"
    assert code(registry.settings.set_label, HOST, NOBODY, "x") == "agent_not_found"
    done = registry.settings.set_capability(HOST, agent_id, "gemini")
    assert (done["prior_value"], done["new_value"]) == ("unknown", "gemini")
    assert code(registry.settings.set_capability, HOST, agent_id, "-x") == "value_out_of_set"
    registry.scan(CHILD)
    assert code(registry.settings.set_capability, HOST, agent_id, "codex") == "agent_inactive"
    assert len(registry.audits("agent_role_change")) == 1


def test_rows_can_be_written_in_somebody_elses_transaction(registry: Registry) -> None:
    wanted = registry.registration.wanted(HOST, _key(PARENT), {"role": "slave"})
    assert registry.registration.foresee(wanted) == wanted.new_agent_id
    with suppress(RuntimeError), registry.store.transaction() as transaction:
        done = registry.registration.register(transaction, wanted)
        assert done == Registered(wanted.new_agent_id, "created")
        raise RuntimeError("the log could not be attached")
    assert registry.rows("agent") == []
    assert registry.audits("agent_role_change") == []


def _key(pane: FoundPane) -> PaneKey:
    return PaneKey(
        C1, pane.socket_path, pane.session_name, pane.window_index, pane.pane_index, pane.pane_id
    )
