"""What ``app.*`` changes, in real panes: adopting, logs, prompts, managed sessions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agenttower.clock import MILLISECOND, to_millis
from tests.support import module_tower
from tests.support.adopted import rows
from tests.support.app_session import AppSession
from tests.support.docker import BenchFactory
from tests.support.layouts import tmux
from tests.support.mock_layout import MockLayout, mock_layout
from tests.support.tower import Tower
from tests.support.waiting import wait_until

state_home, bench_factory, tower = (
    module_tower.state_home,
    module_tower.bench_factory,
    module_tower.tower,
)
KEY = {
    "container_id": "container_id",
    "tmux_socket": "tmux_socket_path",
    "session_name": "tmux_session_name",
    "window_index": "tmux_window_index",
    "pane_index": "tmux_pane_index",
    "pane_id": "tmux_pane_id",
}


@pytest.fixture(scope="module")
def mocks(
    tower: Tower, bench_factory: BenchFactory, tmp_path_factory: pytest.TempPathFactory
) -> MockLayout:
    made = mock_layout(tower, bench_factory, tmp_path_factory.mktemp("mocks"), {"s1": []})
    made.ready("s1")
    return made


@pytest.fixture(scope="module")
def app(tower: Tower) -> AppSession:
    return AppSession(tower)


@pytest.fixture
def pane(tower: Tower, mocks: MockLayout, request: pytest.FixtureRequest) -> dict[str, Any]:
    """A pane that somebody else has started, as it was discovered."""
    session = f"theirs{len(request.node.name)}"
    tmux(mocks.bench, "new-session", "-d", "-s", session, "-x", "100", "-y", "30", "cat")
    tower.result("scan_panes", {"container": mocks.bench.id})
    found = tower.result("list_panes", {"container": mocks.bench.name})["panes"]
    [row] = [row for row in found if row["tmux_session_name"] == session]
    return {ours: row[theirs] for ours, theirs in KEY.items()}


def told(app: AppSession, count: int) -> list[dict[str, Any]]:
    """The last lines of the file, once there are so many of this session."""

    def there() -> list[dict[str, Any]] | None:
        lines = [line for line in app.lines() if line["app_session_id"] == app.id]
        return lines if len(lines) >= count else None

    lines = wait_until(there, 10, f"{count} lines to be relayed")
    assert lines is not None
    assert len(lines) == count
    return lines


def test_a_pane_is_adopted_with_its_log(
    tower: Tower, mocks: MockLayout, pane: dict[str, Any]
) -> None:
    app = AppSession(tower)
    said = {"role": "slave", "capability": "shell", "label": "theirs"}
    row = app.ask("app.agent.register_from_pane", **pane, **said, attach_log=True)["row"]
    assert (row["log_attached"], row["pane_active"], row["pane_id"]) == (
        True,
        True,
        pane["pane_id"],
    )
    agent_id = row["agent_id"]
    log = tower.home.paths.logs_dir / str(mocks.bench.id) / f"{agent_id}.log"
    tmux(mocks.bench, "send-keys", "-t", pane["pane_id"], "heard", "Enter")
    wait_until(lambda: log.read_bytes() == b"heard\r\nheard\r\n", 10, "the log to be written")
    for attach_log in (False, True):
        assert app.refused(
            "app.agent.register_from_pane", **pane, **said, attach_log=attach_log
        ) == ("pane_already_registered", {"agent_id": agent_id})

    row = app.ask("app.agent.update", agent_id=agent_id, label="ours", capability="codex")["row"]
    assert (row["label"], row["capability"], row["log_attached"]) == ("ours", "codex", True)

    assert app.ask("app.log.detach", agent_id=agent_id)["row"]["log_attached"] is False
    piped = ["display-message", "-p", "-t", pane["pane_id"], "#{pane_pipe}"]
    assert tmux(mocks.bench, *piped).strip() == "0"
    assert app.ask("app.log.detach", agent_id=agent_id)["row"]["log_attached"] is False
    assert app.ask("app.log.attach", agent_id=agent_id)["row"]["log_attached"] is True
    assert app.ask("app.log.attach", agent_id=agent_id)["row"]["log_attached"] is True
    assert tmux(mocks.bench, *piped).strip() == "1"

    lines = told(app, 5)
    assert [line["type"] for line in lines] == [
        "agent_role_change",
        "log_attachment_change",
        "agent_role_change",
        "log_attachment_change",
        "log_attachment_change",
    ]
    assert all(line["payload"]["agent_id"] == agent_id for line in lines)
    assert all("app_session_id" not in line["payload"] for line in lines)
    assert lines[2]["payload"]["changed"] == ["capability", "label"]
    changes = [(x["payload"]["prior_status"], x["payload"]["new_status"]) for x in lines[1::2]]
    assert changes == [(None, "active"), ("active", "detached")]


def test_a_pane_that_went_away_makes_no_agent(
    tower: Tower, mocks: MockLayout, app: AppSession, pane: dict[str, Any]
) -> None:
    tmux(mocks.bench, "kill-pane", "-t", pane["pane_id"])
    said = {"role": "slave", "capability": "shell", "label": "gone"}
    assert app.refused("app.agent.register_from_pane", **pane, **said, attach_log=True) == (
        "pane_not_found",
        {"pane_id": pane["pane_id"], "mismatch_field": "pane_id"},
    )
    assert rows(tower, "SELECT 1 FROM agent WHERE label = 'gone'") == []


def test_a_prompt_reaches_the_agent_as_canonical_json(mocks: MockLayout, app: AppSession) -> None:
    before = len(mocks.prompts("s1"))
    sent = [
        app.ask(
            "app.send_input",
            target_agent_id=mocks.id("s1"),
            payload={"task": "漢字 \x9b31m \n#{pid} %H", "b": 1, "a": {"z": None, "y": [True]}},
            idempotency_key="one",
        )
        for _ in range(2)
    ]
    assert [one["deduplicated"] for one in sent] == [False, True]
    assert sent[0]["message_id"] == sent[1]["message_id"]
    text = '{"a":{"y":[true],"z":null},"b":1,"task":"漢字 \\u009b31m \\n#{pid} %H"}'
    wait_until(lambda: mocks.prompts("s1")[before:] == [text.encode()], 20, "it to arrive, once")


def test_a_delayed_prompt_goes_on_by_itself(
    tower: Tower, mocks: MockLayout, app: AppSession
) -> None:
    before = len(mocks.prompts("s1"))
    tower.stop("worker")
    ids = [
        app.ask("app.send_input", target_agent_id=mocks.id("s1"), payload={"n": n})["message_id"]
        for n in range(3)
    ]
    delayed = app.ask("app.queue.delay", message_id=ids[0], delay_ms=1500)["row"]
    assert (delayed["state"], delayed["block_reason"]) == ("blocked", "operator_delayed")
    held = app.ask("app.queue.delay", message_id=ids[1], delay_ms=3_600_000)["row"]
    assert held["state"] == "blocked"
    tower.start("worker")
    texts = {b'{"n":2}', b'{"n":0}'}
    wait_until(lambda: set(mocks.prompts("s1")[before:]) == texts, 20, "the delayed one to arrive")
    row = _delivered(tower, ids[0])
    assert row["delivery_attempt_started_at"] >= _later(delayed["last_updated_at"], 1500)

    assert app.refused("app.queue.delay", message_id=ids[0], delay_ms=1) == ("stale_object", {})
    app.ask("app.queue.approve", message_id=ids[1])
    texts.add(b'{"n":1}')
    wait_until(lambda: set(mocks.prompts("s1")[before:]) == texts, 20, "it to be let go")
    assert len(mocks.prompts("s1")[before:]) == 3
    assert app.refused("app.queue.cancel", message_id=ids[1]) == ("stale_object", {})


def _delivered(tower: Tower, message_id: str) -> dict[str, Any]:
    def settled() -> dict[str, Any] | None:
        row = tower.result("queue.show", {"message_id": message_id})
        return dict(row) if row["state"] == "delivered" else None

    row = wait_until(settled, 10, "the delivery to be settled")
    assert row is not None
    return row


def _later(millis: int, by: int) -> str:
    """A time in milliseconds as ``queue.*`` shows it, some milliseconds later."""
    return to_millis((millis + by) * MILLISECOND)


def test_a_managed_session_from_beginning_to_end(mocks: MockLayout, app: AppSession) -> None:
    made = app.ask(
        "app.managed_layout_create",
        container_id=mocks.bench.id,
        template_name="1m+2s",
        tmux_session_name="panel",
        idempotency_key="panel",
        label_prefix="p-",
        unknown="ignored",
    )
    layout_id = made["layout_id"]

    def ready() -> dict[str, Any] | None:
        detail = app.ask("app.managed_layout_detail", layout_id=layout_id)
        assert detail["state"] in ("creating", "ready")
        return dict(detail) if detail["state"] == "ready" else None

    detail = wait_until(ready, 30, "the layout to be ready")
    assert detail is not None
    assert layout_id in [
        item["layout_id"] for item in app.ask("app.managed_layout_list", state="ready")["items"]
    ]
    panes = app.ask("app.managed_pane_list", layout_id=layout_id)["items"]
    assert [pane["label"] for pane in panes] == ["p-m1", "p-s1", "p-s2"]
    old = panes[2]["pane_id"]
    assert app.ask("app.managed_pane_remove", pane_id=old) == {"pane_id": old, "state": "removed"}
    new = app.ask("app.managed_pane_recreate", predecessor_pane_id=old)
    assert (new["predecessor_id"], new["state"]) == (old, "creating")
    wait_until(ready, 30, "the successor to be ready")
    shown = app.ask("app.managed_pane_detail", pane_id=new["pane_id"])
    assert (shown["label"], shown["chain_depth"], shown["state"]) == ("p-s2", 1, "ready")
    gone = app.ask("app.managed_layout_remove", layout_id=layout_id)
    assert gone["state"] == "removed"
    assert tmux(mocks.bench, "has-session", "-t", "panel") != ""


def test_routes_fire_no_more_once_they_are_removed(tower: Tower, app: AppSession) -> None:
    row = app.ask(
        "app.route.add",
        event_type="error",
        target={"rule": "source"},
        template="{event_excerpt}",
    )["row"]
    shown = tower.result("routes.show", {"route_id": row["route_id"]})
    assert (shown["enabled"], shown["target_rule"]) == (True, "source")
    app.ask("app.route.update", route_id=row["route_id"], enabled=False)
    assert app.ask("app.route.remove", route_id=row["route_id"])["row"]["enabled"] is False
    assert tower.result("routes.list")["routes"] == []
    lines = [x for x in app.lines() if x.get("route_id") == row["route_id"]]
    wait_until(
        lambda: (
            [x["event_type"] for x in app.lines() if x.get("route_id") == row["route_id"]]
            == ["route_created", "route_updated", "route_deleted"]
        ),
        10,
        f"every change to be told once, not {json.dumps(lines)}",
    )


def test_nothing_of_a_client_is_kept(tower: Tower, app: AppSession) -> None:
    for path in Path(tower.home.paths.state_dir).rglob("*"):
        if path.is_file():
            assert app.token.encode() not in path.read_bytes(), path
    assert app.token not in tower.logs()
