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
