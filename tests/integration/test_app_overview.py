"""Readiness, dashboard and scans of ``app.*``, over real processes, a real engine and real tmux."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container

from tests.integration.test_agents import adopt, panes, start
from tests.support import module_tower
from tests.support.adopted import rows
from tests.support.docker import BenchFactory
from tests.support.freezer import frozen, thaw
from tests.support.tower import Tower
from tests.support.waiting import wait_until

state_home, bench_factory, tower = (
    module_tower.state_home,
    module_tower.bench_factory,
    module_tower.tower,
)

SUBSYSTEMS = (
    "docker",
    "tmux_discovery",
    "sqlite",
    "jsonl",
    "routing_worker",
    "log_attachment_workers",
)


class Panel:
    """A control panel: one session, said hello anew where the daemon has forgotten it."""

    def __init__(self, tower: Tower) -> None:
        self.tower = tower
        self.hello()

    def hello(self) -> None:
        self.token = self.tower.result("app.hello")["app_session_token"]

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self.tower.call(f"app.{method}", {"app_session_token": self.token, **params}, 60)

    def ask(self, method: str, **params: Any) -> Any:
        reply = self.call(method, **params)
        assert reply["ok"], reply
        return reply["result"]

    def ill(self) -> dict[str, str]:
        """The subsystems that are not ok."""
        found = self.ask("readiness")
        assert tuple(row["name"] for row in found["subsystems"]) == SUBSYSTEMS
        assert (found["state"] == "ready") == all(r["status"] == "ok" for r in found["subsystems"])
        return {r["name"]: r["status"] for r in found["subsystems"] if r["status"] != "ok"}

    def recommended(self) -> tuple[str, str | None]:
        action = self.ask("dashboard")["recommended_next_action"]
        return action["code"], action["target"] and action["target"]["id"]

    def scan(self, kind: str) -> Any:
        done = self.ask(f"scan.{kind}")
        assert done["state"] == "completed", done
        assert done["result"]["scan_id"] == done["scan_id"]
        return done["result"]


@pytest.fixture
def panel(tower: Tower) -> Panel:
    return Panel(tower)


@pytest.fixture(scope="module")
def bench(bench_factory: BenchFactory) -> Container:
    return bench_factory()


def hints(panel: Panel, method: str) -> list[str]:
    return [hint["code"] for hint in panel.ask(method)["hints"]]


def test_from_nothing_to_all_clear(tower: Tower, bench_factory: BenchFactory) -> None:
    """Each recommendation in the order of its precedence, as somebody comes upon it who begins."""
    panel = Panel(tower)
    assert panel.ill() == {}
    assert panel.recommended() == ("no_containers", None)
    assert hints(panel, "readiness") == hints(panel, "dashboard") == ["start_bench_container"]

    bench = bench_factory("first")
    found = panel.scan("containers")
    assert [(c["container_id"], c["name"]) for c in found["containers"]] == [(bench.id, bench.name)]
    assert (found["status"], found["matched_count"], found["error_details"]) == ("ok", 1, [])
    assert panel.recommended() == ("no_panes_discovered", bench.id)

    start(bench, "mine")
    start(bench, "yours", "-L", "other")
    found = panel.scan("panes")
    (there,) = found["containers"]
    assert (there["container_id"], there["name"], there["panes_seen"]) == (bench.id, bench.name, 2)
    assert [(s["tmux_socket"], s["panes_seen"], s["error_code"]) for s in there["servers"]] == [
        ("/tmp/tmux-0/default", 1, None),
        ("/tmp/tmux-0/other", 1, None),
    ]
    stored = rows(tower, "SELECT scan_id FROM container_scan UNION SELECT scan_id FROM pane_scan")
    assert (found["scan_id"],) in stored
    assert panel.recommended() == ("unadopted_panes_present", "%0")
    assert hints(panel, "readiness") == ["register_first_agent"]

    found_panes = panes(tower, bench)
    slave = adopt(tower, found_panes["mine:0.0"], role="slave", label="one", capability="shell")
    adopt(tower, found_panes["yours:0.0"], role="slave", label="two", capability="shell")
    assert panel.recommended() == ("no_routes_configured", None)
    assert hints(panel, "dashboard") == ["attach_logs", "enable_first_route"]

    rule = {
        "event_type": "error",
        "source_scope_kind": "any",
        "target_rule": "explicit",
        "target_value": slave["agent_id"],
        "master_rule": "auto",
        "template": "{event_excerpt}",
    }
    tower.result("routes.add", rule)
    assert panel.recommended() == ("all_clear", None)
    tower.result("routing.disable")
    tower.call("queue.operator_input", {"target": "two", "body_bytes": "aGVsbG8=", "wait": False})
    blocked = rows(tower, "SELECT message_id FROM prompt WHERE state = 'blocked'")
    assert panel.recommended() == ("blocked_queue_drain", blocked[0][0])
    assert panel.ill() == {}  # a switch that is off is no ill health
    tower.result("routing.enable")
    tower.result("queue.cancel", {"message_id": blocked[0][0]})
    assert panel.recommended() == ("all_clear", None)

    shown = panel.ask("dashboard", recent_limit=1)
    assert len(shown["recent"]["queue"]) == 1
    assert shown["recent"]["queue"][0]["type"] == "direct"
    assert shown["recent"]["routes"][0]["type"] == "route"
    counts = shown["counts"]
    assert counts["panes"]["registered"] == 2
    listed = {
        name: panel.ask(f"{name}.list", limit=200)["rows"]
        for name in ("container", "pane", "agent", "queue", "route")
    }
    assert counts["panes"]["total"] == len(listed["pane"])
    assert counts["panes"]["registered"] == sum(row["registered"] for row in listed["pane"])
    assert counts["agents"]["total"] == len(listed["agent"])
    assert counts["containers"]["active"] == sum(
        row["state"] == "active" for row in listed["container"]
    )
    assert counts["queue"]["canceled"] == len(listed["queue"]) == 1
    assert counts["routes"]["enabled"] == len(listed["route"]) == 1


def test_who_asks_meanwhile_joins_and_who_goes_cancels_nothing(
    tower: Tower, panel: Panel, bench: Container
) -> None:
    panel.scan("containers")
    start(bench, "work")
    with frozen(bench):
        with socket.socket(socket.AF_UNIX) as gone:
            gone.connect(str(tower.socket_path))
            params = {"app_session_token": panel.token, "wait": True}
            line = json.dumps({"method": "app.scan.panes", "params": params}).encode() + b"\n"
            gone.sendall(line)
            begun = panel.ask("scan.panes", wait=False)
        assert begun["state"] == "running"
        assert panel.ask("scan.panes", wait=False) == begun
        assert panel.ask("scan.containers")["state"] == "completed"  # another kind goes beside it
        status = panel.ask("scan.status", scan_id=begun["scan_id"])
        assert (status["state"], status["completed_at"], status["result"]) == (
            "running",
            None,
            None,
        )
        with ThreadPoolExecutor(1) as pool:
            joined = pool.submit(panel.ask, "scan.panes")
            wait_until(lambda: not joined.done(), 5, "it to wait")
            thaw(bench)
            done = joined.result(30)
    assert done["scan_id"] == begun["scan_id"]
    assert done["state"] == "completed"
    status = panel.ask("scan.status", scan_id=begun["scan_id"])
    assert status["result"] == done["result"]
    assert status["completed_at"] >= status["started_at"]


def test_a_bench_that_cannot_be_looked_into(tower: Tower, panel: Panel, bench: Container) -> None:
    panel.scan("containers")
    start(bench, "other")
    panel.scan("panes")
    assert panel.ill() == {}
    bench.exec_run(["sh", "-c", "mv /usr/bin/tmux /usr/bin/tmux.away"], user="root")
    try:
        found = panel.scan("panes")
        assert found["status"] == "degraded"
        assert found["containers_tmux_unavailable"] == 1
        fault = next(one for one in found["containers"] if one["container_id"] == bench.id)
        assert {server["error_code"] for server in fault["servers"]} == {"tmux_unavailable"}
        assert panel.ill() == {"tmux_discovery": "degraded"}
        counts = panel.ask("dashboard")["counts"]
        assert counts["containers"]["degraded_scan"] == 1
        assert counts["panes"]["by_state"]["discovery-degraded"] >= 1
        assert panel.recommended() == ("subsystem_degraded", "tmux_discovery")
    finally:
        bench.exec_run(["sh", "-c", "mv /usr/bin/tmux.away /usr/bin/tmux"], user="root")
    panel.scan("panes")
    assert panel.ill() == {}


def test_without_a_worker(tower: Tower, panel: Panel) -> None:
    tower.home.paths.events_file.unlink()
    assert panel.ill() == {"jsonl": "degraded"}
    tower.kill9("worker")
    gone = ("jsonl", "routing_worker", "log_attachment_workers")
    assert panel.ill() == dict.fromkeys(gone, "unavailable")
    assert panel.recommended() == ("subsystem_degraded", "jsonl")
    tower.start("worker")
    wait_until(lambda: panel.ill() == {}, 10, "all to be well again")


@contextmanager
def front_end_with(tower: Tower, docker_host: str) -> Iterator[Panel]:
    """The front end, restarted with another engine; the worker stays as it is."""
    tower.stop("serve")
    tower.start("serve", environ={"DOCKER_HOST": docker_host})
    try:
        yield Panel(tower)
    finally:
        tower.stop("serve")
        tower.start("serve")


def test_an_engine_that_has_stopped(tower: Tower, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "sock"))
    with front_end_with(tower, f"unix://{tmp_path}/sock") as panel:
        assert panel.ill() == {"docker": "unavailable", "tmux_discovery": "unavailable"}
        docker = panel.ask("readiness")["subsystems"][0]
        assert "refused" in docker["reason"]
        assert str(tmp_path) not in json.dumps(panel.ask("readiness"))
        assert hints(panel, "dashboard")[0] == "docker_unavailable_hint"
        assert panel.recommended() == ("subsystem_degraded", "docker")
        for kind in ("containers", "panes"):
            failed = panel.ask(f"scan.{kind}")
            assert failed["state"] == "failed"
            assert failed["result"]["error"]["code"] == "docker_unavailable"
            status = panel.ask("scan.status", scan_id=failed["scan_id"])
            assert (status["state"], status["result"]) == ("failed", failed["result"])
        (tmp_path / "sock").unlink()
        docker = panel.ask("readiness")["subsystems"][0]
        assert docker["reason"] == "docker not detected on platform"


def test_an_engine_that_hangs_holds_up_nobody(tower: Tower, tmp_path: Path) -> None:
    """More ask for readiness than there are threads; others are answered meanwhile."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "sock"))
        listener.listen(64)
        with (
            front_end_with(tower, f"unix://{tmp_path}/sock") as panel,
            ThreadPoolExecutor(41) as pool,
        ):
            waiting = [pool.submit(panel.ask, "readiness") for _ in range(40)]
            wait_until(lambda: any(one.running() for one in waiting), 5, "them to wait")
            other = pool.submit(panel.ask, "container.list")
            first = next(as_completed([other, *waiting]))
            assert first is other
            for one in waiting:
                docker = one.result(30)["subsystems"][0]
                assert docker["status"] == "unavailable"
                assert docker["reason"] == "the Docker engine did not answer within 1 s"
