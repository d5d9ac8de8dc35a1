"""Requests of ``app.*`` that are refused, all to one daemon: none of them changes anything."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.test_app_agents import ADOPT, KEY, SAID, invalid, pane
from tests.contract.test_app_managed import CREATE
from tests.contract.test_app_routes import AGENT, RULE
from tests.support.app_desk import AppDesk, app_desk
from tests.support.prompt_rows import BENCH
from tests.support.registry_rows import PANE_ID, managed

OTHER = "d" * 64
NO_ID = str(uuid.UUID(int=0))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppDesk]:
    """With a pane that was found, a layout, a container that does not run, and no engine."""
    directory = tmp_path_factory.mktemp("desk")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", f"unix://{directory}/no-engine.sock")
        with app_desk(directory) as desk:
            pane(desk)
            managed(container_id=BENCH)
            desk.rows.container(OTHER, active=False)
            yield desk


@pytest.mark.parametrize("name", [*KEY, *SAID])
def test_what_adopting_needs(desk: AppDesk, name: str) -> None:
    params = KEY | SAID
    del params[name]
    assert desk.refused(ADOPT, **params) == invalid(name, "missing")


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("container_id", "", "must not be empty"),
        ("tmux_socket", None, "must be a string"),
        ("window_index", -1, "must be >= 0"),
        ("window_index", True, "must be an integer"),
        ("pane_index", "1", "must be an integer"),
        ("pane_index", 1.0, "must be an integer"),
        ("role", "boss", "unknown value"),
        ("role", "master", "master cannot be assigned by registration; adopt first, then"
         " update"),
        ("capability", "", "must not be empty"),
        ("capability", "c" * 129, "max length 128"),
        ("capability", "C++", "must be 1 to 64 of a-z, 0-9 and '-', and not begin with '-'"),
        ("label", "a\rb", "embedded newline"),
        ("label", "a\nb", "embedded newline"),
        ("label", "l" * 257, "max length 256"),
        ("label", None, "must be a string"),
        ("project_path", "src", "must be an absolute path"),
        ("project_path", "", "must be an absolute path"),
        ("project_path", "/a/../b", "must not have a '..' in it"),
        ("project_path", "/a\0", "must not have control characters in it"),
        ("project_path", "/" + "p" * 4096, "max length 4096"),
        ("parent_agent_id", "", "must not be empty"),
        ("parent_agent_id", None, "must be a string"),
        ("attach_log", "yes", "must be a boolean"),
        ("attach_log", None, "must be a boolean"),
    ],
)  # fmt: skip
def test_what_cannot_be_adopted(desk: AppDesk, field: str, value: Any, reason: str) -> None:
    assert desk.refused(ADOPT, **KEY | SAID | {field: value}) == invalid(field, reason)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("container_id", "e" * 64),
        ("container_id", BENCH[:12]),
        ("container_id", "bench-b"),
        ("tmux_socket", "/tmp/tmux-0/other"),
        ("session_name", "Theirs"),
        ("window_index", 2**70),
        ("pane_index", 0),
        ("pane_id", "%7"),
    ],
)
def test_a_pane_is_named_whole(desk: AppDesk, field: str, value: Any) -> None:
    params = KEY | SAID | {field: value}
    assert desk.refused(ADOPT, **params) == (
        "pane_not_found",
        {"pane_id": params["pane_id"], "mismatch_field": field},
    )


_AGENT_ID = "value: must be an agent id"
_WRITTEN = (
    "value: must be written role:<role> or role:<role>,capability:<capability>, without spaces"
)


@pytest.mark.parametrize(
    ("more", "field", "reason"),
    [
        ({"event_type": "boom"}, "event_type", "unknown value"),
        ({"event_type": None}, "event_type", "must be a string"),
        ({"master": "auto"}, "master", "must be an object"),
        ({"master": {"rule": "x"}}, "master", "rule: unknown value"),
        ({"master": {"value": 5}}, "master", "value: must be a string"),
        ({"master": {"value": AGENT}}, "master", "value: must be null where rule is auto"),
        ({"master": {"rule": "explicit"}}, "master", _AGENT_ID),
        ({"target": None}, "target", "must be an object"),
        ({"target": {}}, "target", "missing"),
        ({"target": {"rule": "x"}}, "target", "rule: unknown value"),
        ({"target": {"rule": "explicit"}}, "target", "value: missing or empty"),
        ({"target": {"rule": "explicit", "value": "l" * 257}}, "target",
         "value: must be an agent id or a label of at most 256 characters"),
        ({"target": {"rule": "source", "value": "x"}}, "target",
         "value: must be null where rule is source"),
        ({"target": {"rule": "role", "value": "role: slave"}}, "target", _WRITTEN),
        ({"target": {"rule": "role", "value": "role:master"}}, "target",
         "value: the role must be one of slave, swarm"),
        ({"source_scope": None}, "source_scope", "must be an object"),
        ({"source_scope": {"kind": "x"}}, "source_scope", "kind: unknown value"),
        ({"source_scope": {"value": "x"}}, "source_scope", "value: must be null where kind is any"),
        ({"source_scope": {"kind": "agent_id", "value": "x"}}, "source_scope", _AGENT_ID),
        ({"source_scope": {"kind": "role", "value": "slave"}}, "source_scope", _WRITTEN),
        ({"template": ""}, "template", "must not be empty"),
        ({"template": 5}, "template", "must be a string"),
        ({"template": "x" * 4097}, "template", "at most 4096 bytes"),
        ({"template": "\x1b["}, "template", "only printable text, tab and newline can be sent"),
    ],
)  # fmt: skip
def test_what_a_route_may_not_say(desk: AppDesk, more: Any, field: str, reason: str) -> None:
    assert desk.refused("app.route.add", **RULE | more) == (
        "validation_failed",
        {"field": field, "reason": reason},
    )


@pytest.mark.parametrize(
    ("method", "params", "field", "reason"),
    [
        ("remove", {}, "route_id", "missing"),
        ("remove", {"route_id": ""}, "route_id", "must not be empty"),
        ("remove", {"route_id": 5}, "route_id", "must be a string"),
        ("update", {"enabled": True}, "route_id", "missing"),
        ("update", {"route_id": "x"}, "enabled", "missing"),
        ("update", {"route_id": "x", "enabled": 1}, "enabled", "must be a boolean"),
        ("update", {"route_id": "x", "enabled": True, "template": "t"}, "template",
         "field not accepted"),
    ],
)  # fmt: skip
def test_what_switches_no_route(
    desk: AppDesk, method: str, params: Any, field: str, reason: str
) -> None:
    assert desk.refused(f"app.route.{method}", **params) == (
        "validation_failed",
        {"field": field, "reason": reason},
    )


@pytest.mark.parametrize(
    ("name", "params", "code", "details"),
    [
        ("layout_create", {}, "validation_failed", {"field": "container_id", "reason": "missing"}),
        ("layout_create", CREATE | {"template_name": 5}, "validation_failed",
         {"field": "template_name", "reason": "must be a string"}),
        ("layout_create", CREATE | {"tmux_session_name": "s;1"}, "validation_failed",
         {"field": "tmux_session_name", "reason": "must be 1 to 64 letters A-Z a-z, digits, '_',"
          " '.' and '-'"}),
        ("layout_create", CREATE | {"launch_command_overrides": {"slave:s;1": "x"}},
         "validation_failed",
         {"field": "launch_command_overrides", "reason": "the label in every key must be 1 to 64"
          " letters A-Z a-z, digits, '_', '.' and '-'"}),
        ("layout_create", CREATE | {"container_id": "nix"}, "container_not_found",
         {"container_id": "nix"}),
        ("layout_create", CREATE | {"container_id": OTHER}, "container_inactive",
         {"container_id": OTHER}),
        ("layout_create", CREATE | {"template_name": "nix"}, "managed_template_not_found",
         {"template_name": "nix", "known_templates": ["1m+2s", "2m+2s"]}),
        ("layout_create", CREATE | {"launch_command_overrides": {"master:m1": "nix"}},
         "managed_launch_command_not_found", {"profile_name": "nix", "known_profiles": []}),
        ("layout_create", CREATE | {"label_prefix": "x-", "tmux_session_name": "n"},
         "docker_unavailable", {}),
        ("layout_create", CREATE, "managed_pane_label_conflict",
         {"container_id": BENCH, "label": "s1"}),
        ("layout_list", {"limit": 201}, "validation_failed",
         {"field": "limit", "reason": "must be <= 200"}),
        ("layout_list", {"state": "gone"}, "validation_failed",
         {"field": "state", "reason": "unknown value"}),
        ("layout_detail", {"layout_id": NO_ID}, "managed_layout_not_found", {"layout_id": NO_ID}),
        ("layout_remove", {"layout_id": NO_ID}, "managed_layout_not_found", {"layout_id": NO_ID}),
        ("pane_list", {"layout_id": NO_ID}, "managed_layout_not_found", {"layout_id": NO_ID}),
        ("pane_detail", {"pane_id": NO_ID}, "managed_pane_not_found", {"pane_id": NO_ID}),
        ("pane_remove", {"pane_id": NO_ID}, "managed_pane_not_found", {"pane_id": NO_ID}),
        ("pane_recreate", {"predecessor_pane_id": NO_ID}, "managed_pane_not_found",
         {"pane_id": NO_ID}),
        ("pane_recreate", {"predecessor_pane_id": PANE_ID},
         "managed_pane_illegal_recreate_source",
         {"predecessor_pane_id": PANE_ID, "current_state": "ready"}),
        ("pane_promote_from_adopted", {}, "not_implemented", {"reserved_since": "FEAT-013"}),
        ("pane_promote_from_adopted", {"agent_id": 5}, "not_implemented",
         {"reserved_since": "FEAT-013"}),
    ],
)  # fmt: skip
def test_refusals(desk: AppDesk, name: str, params: Any, code: str, details: Any) -> None:
    assert desk.refused(f"app.managed_{name}", **params) == (code, details)
