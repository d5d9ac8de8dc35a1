"""``app.managed_*`` answers as ``managed.*`` does, in the envelope of ``app.*`` and in a session.

What happens in real panes is tested in tests/integration.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agenttower.protocol.app.managed import OF_MANAGED
from tests.support.app_desk import AppDesk, app_desk
from tests.support.prompt_rows import BENCH
from tests.support.registry_rows import PANE_ID, managed

THEIRS = {ours.name: theirs.name for ours, theirs in OF_MANAGED}
NO_ID = str(uuid.UUID(int=0))
CREATE = {"container_id": BENCH, "template_name": "1m+2s", "tmux_session_name": "work"}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppDesk]:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")
    with app_desk(tmp_path) as desk:
        yield desk


@pytest.mark.parametrize("method", THEIRS)
def test_a_session_is_needed(desk: AppDesk, method: str) -> None:
    answer = desk.request(method, {})
    assert answer["error"]["code"] == "app_session_required"
    answer = desk.request(method, {"app_session_token": NO_ID})
    assert answer["error"]["code"] == "app_session_expired"


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
        ("layout_create", CREATE | {"container_id": "d" * 64}, "container_inactive",
         {"container_id": "d" * 64}),
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
    managed(container_id=BENCH)
    desk.rows.container("d" * 64, active=False)
    assert desk.refused(f"app.managed_{name}", **params) == (code, details)


def test_an_adopted_agent_is_protected(desk: AppDesk) -> None:
    agent_id = desk.rows.agent()
    for name, parameter in (
        ("remove", "pane_id"),
        ("recreate", "predecessor_pane_id"),
    ):
        assert desk.refused(f"app.managed_pane_{name}", **{parameter: agent_id}) == (
            "managed_pane_protected_adopted",
            {"agent_id": agent_id, "is_adopted": True},
        )


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("layout_list", {"state": ["ready"], "limit": 1}),
        ("pane_list", {"container_id": BENCH}),
        ("pane_detail", {"pane_id": PANE_ID, "include_predecessor_chain": True}),
    ],
)
def test_results_are_the_same(desk: AppDesk, name: str, params: Any) -> None:
    managed(container_id=BENCH)
    method = f"app.managed_{name}"
    theirs = desk.request(THEIRS[method], params)
    assert theirs["ok"], theirs
    assert desk.ask(method, **params, unknown="ignored") == theirs["result"]
