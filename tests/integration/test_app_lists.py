"""Lists and details of ``app.*`` over real benches (app surface, section 13)."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from docker.models.containers import Container

from tests.integration.test_agents import adopt, panes, scan, start
from tests.support.docker import BenchFactory
from tests.support.freezer import frozen
from tests.support.layouts import bench_with_logs, create, settled, tmux
from tests.support.module_tower import bench_factory, state_home, tower
from tests.support.tower import Tower
from tests.support.waiting import wait_until

__all__ = ["bench_factory", "state_home", "tower"]


class Client:
    """A control panel."""

    def __init__(self, tower: Tower) -> None:
        self._tower = tower
        self._token = tower.result("app.hello", {"client_id": "test"})["app_session_token"]

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        params = {"app_session_token": self._token, **params}
        return dict(self._tower.result(method, params))

    def rows(self, entity: str, **filters: Any) -> list[dict[str, Any]]:
        listed = self.ask(f"app.{entity}.list", filters=filters, limit=200)
        assert listed["total"] == len(listed["rows"])
        return list(listed["rows"])

    def row(self, entity: str, **named: Any) -> dict[str, Any]:
        return dict(self.ask(f"app.{entity}.detail", **named)["row"])


@pytest.fixture(scope="module")
def client(tower: Tower) -> Client:
    return Client(tower)


@pytest.fixture(scope="module")
def bench(tower: Tower, bench_factory: BenchFactory) -> Container:
    """With one pane that somebody started and adopted, one that nobody did, and a layout."""
    bench = bench_with_logs(tower, bench_factory)
    start(bench, "mine")
    start(bench, "yours", "-L", "other")
    assert scan(tower, bench)["status"] == "ok"
    adopt(tower, panes(tower, bench)["mine:0.0"], role="slave", label="mine")
    layout = settled(tower, create(tower, bench)["layout_id"])
    assert layout["state"] == "ready"
    assert scan(tower, bench)["status"] == "ok"
    return bench


def test_agents_of_both_origins(client: Client, bench: Container) -> None:
    agents = client.rows("agent", container_id=bench.id)
    assert [row["origin"] for row in agents if row["label"] == "mine"] == ["adopted"]
    assert sorted(row["origin"] for row in agents) == ["adopted", "managed", "managed", "managed"]
    priorities = [row["role_priority"] for row in agents]
    assert priorities == sorted(priorities)
    assert {(row["pane_active"], row["active"]) for row in agents} == {(True, True)}
    attached = client.rows("agent", container_id=bench.id, log_attached=True)
    assert {row["origin"] for row in attached} == {"managed"}
    logs = client.rows("log_attachment", status="active")
    assert {row["agent_id"] for row in attached} <= {row["agent_id"] for row in logs}
    for row in agents:
        assert client.row("agent", agent_id=row["agent_id"]) == row


def test_panes_and_who_lives_in_them(client: Client, tower: Tower, bench: Container) -> None:
    found = client.rows("pane", container_id=bench.id)
    assert [row["registered"] for row in found if row["session_name"] == "yours"] == [False]
    registered = client.rows("pane", container_id=bench.id, registered=True)
    agents = client.rows("agent", container_id=bench.id)
    assert {row["agent_id"] for row in registered} == {row["agent_id"] for row in agents}
    older = {row["tmux_pane_id"]: row["agent_id"] for row in panes(tower, bench).values()
             if row["tmux_session_name"] != "yours"}  # fmt: skip
    assert older == {row["pane_id"]: row["agent_id"] for row in registered}
    twice = [row for row in found if row["pane_id"] == "%0"]
    assert len(twice) == 2, "two servers have a %0"
    for row in twice:
        named = {name: row[name] for name in ("pane_id", "container_id", "tmux_socket")}
        assert client.row("pane", **named) == row
    [container] = [row for row in client.rows("container") if row["container_id"] == bench.id]
    assert (container["pane_count"], container["registered_agent_count"]) == (len(found), 4)
    assert container["state"] == "active"


def test_events_of_the_layout(client: Client, tower: Tower, bench: Container) -> None:
    created = client.rows("event", event_type="managed_pane_created")
    managed = {row["agent_id"] for row in client.rows("agent") if row["origin"] == "managed"}
    assert {row["agent_id"] for row in created} == managed
    [layout] = client.rows("event", event_type="managed_layout_created")
    assert (layout["agent_id"], layout["summary"]) == ("", "managed layout created")
    one = created[0]
    ours = client.rows("event", agent_id=one["agent_id"])
    assert one in ours
    assert {row["agent_id"] for row in ours} == {one["agent_id"]}
    assert client.row("event", event_id=str(one["event_id"])) == one


def test_a_prompt_of_the_operator(client: Client, tower: Tower, bench: Container) -> None:
    target = next(row for row in client.rows("agent") if row["role"] == "slave")
    secret = "sk-" + "a" * 40
    sent = tower.result(
        "queue.operator_input",
        {
            "target": target["agent_id"],
            "body_bytes": b64encode(f"echo {secret}".encode()).decode(),
            "wait": False,
        },
    )
    row = client.row("queue", message_id=sent["message_id"])
    assert (row["sender_agent_id"], row["target_agent_id"]) == ("host-operator", target["agent_id"])
    assert secret not in row["payload_preview"]
    assert row["payload_preview"].startswith("echo ")
    listed = client.rows("queue", target_agent_id=target["agent_id"])  # its state moves on
    assert row["message_id"] in {other["message_id"] for other in listed}


def test_a_container_that_does_not_answer(
    client: Client, tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    start(bench, "here")
    scan(tower, bench)
    assert client.row("container", container_id=bench.id)["state"] == "active"
    with frozen(bench):
        assert scan(tower, bench)["status"] == "degraded"
        assert client.row("container", container_id=bench.id)["state"] == "degraded_scan"
        degraded = client.rows("container", state="degraded_scan")
        assert [row["container_id"] for row in degraded] == [bench.id]
    scan(tower, bench)
    assert client.row("container", container_id=bench.id)["state"] == "active"
    tmux(bench, "kill-server")
    start(bench, "other")
    scan(tower, bench)
    gone, there = sorted(client.rows("pane", container_id=bench.id), key=lambda row: row["active"])
    assert (gone["session_name"], there["session_name"]) == ("here", "other")
    assert gone["last_seen_at"] < there["last_seen_at"]
    bench.stop(timeout=0)

    def stopped() -> bool:
        return client.row("container", container_id=bench.id)["state"] == "inactive"

    wait_until(stopped, 20.0, "the stop to be noticed")
