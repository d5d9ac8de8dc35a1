"""Panes that people started themselves: found, adopted, and never touched by anything managed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container

import agenttower
from tests.integration.test_bench_clients import ask_from, bench_with_socket
from tests.support.docker import BenchFactory
from tests.support.freezer import frozen
from tests.support.layouts import (
    bench_with_logs,
    create,
    refusal,
    relayed_events,
    settled,
    tmux,
)
from tests.support.tower import Tower
from tests.support.waiting import wait_until

PACKAGE = Path(agenttower.__file__).parent


def start(container: Container, session: str, *more: str, user: str = "") -> None:
    """A tmux session of the bench's own user, with something that stays."""
    tmux(container, *more, "new-session", "-d", "-s", session, "sleep", "infinity", user=user)


def scan(tower: Tower, container: Container) -> dict[str, Any]:
    done = tower.result("scan_panes", {"container": container.id})
    assert isinstance(done, dict)
    return done


def panes(tower: Tower, container: Container, **filters: Any) -> dict[str, dict[str, Any]]:
    """The panes of a container by their short form."""
    rows = tower.result("list_panes", {"container": container.name, **filters})["panes"]
    return {
        f"{row['tmux_session_name']}:{row['tmux_window_index']}.{row['tmux_pane_index']}": row
        for row in rows
    }


def key(row: dict[str, Any]) -> dict[str, Any]:
    parts = ("socket_path", "session_name", "window_index", "pane_index", "pane_id")
    return {"container_id": row["container_id"]} | {
        f"tmux_{part}": row[f"tmux_{part}"] for part in parts
    }


def adopt(tower: Tower, row: dict[str, Any], **given: Any) -> dict[str, Any]:
    params = {"container_id": row["container_id"], "pane_composite_key": key(row), **given}
    done = tower.result("register_agent", params)
    assert isinstance(done, dict)
    return done


def agent(tower: Tower, agent_id: str) -> dict[str, Any]:
    rows = tower.result("list_agents", {})["agents"]
    return next(row for row in rows if row["agent_id"] == agent_id)


def whole_rows(tower: Tower, container: Container, agent_ids: list[str]) -> list[tuple[Any, ...]]:
    """Everything that stands in the database of these agents and of panes that are not ours."""
    marks = ",".join("?" for _ in agent_ids)
    with closing(sqlite3.connect(tower.home.paths.database)) as db:
        return [
            *db.execute(f"SELECT * FROM agent WHERE agent_id IN ({marks})", agent_ids),
            *db.execute(f"SELECT * FROM log_attachment WHERE agent_id IN ({marks})", agent_ids),
            *db.execute("SELECT * FROM pane WHERE container_id = ? AND token = ''", [container.id]),
        ]


def test_managed_and_adopted_side_by_side(tower: Tower, bench_factory: BenchFactory) -> None:
    bench = bench_with_logs(tower, bench_factory)
    start(bench, "mine")
    start(bench, "yours", "-L", "other")
    layout_id = create(tower, bench)["layout_id"]
    # While they are being made, none of its panes is there for anybody.
    assert scan(tower, bench)["status"] == "ok"
    assert set(panes(tower, bench)) == {"mine:0.0", "yours:0.0"}
    layout = settled(tower, layout_id)
    done = scan(tower, bench)
    assert (done["sockets_scanned"], done["panes_seen"]) == (2, 5)
    found = panes(tower, bench, active_only=True)
    managed = {row["managed_pane_id"]: row for row in found.values() if row["managed_pane_id"]}
    assert set(managed) == {pane["pane_id"] for pane in layout["panes"]}
    for pane in layout["panes"]:
        assert managed[pane["pane_id"]]["agent_id"] == pane["agent_id"]
        assert managed[pane["pane_id"]]["pane_title"] == pane["label"]

    one = adopt(tower, found["mine:0.0"], role="slave", label="one", capability="codex")
    two = adopt(tower, found["yours:0.0"], role="shell")
    ids = [one["agent_id"], two["agent_id"]]
    assert {one["origin"], two["origin"]} == {"adopted"}
    scan(tower, bench)
    origins = {row["agent_id"]: row["origin"] for row in tower.result("list_agents")["agents"]}
    assert origins == dict.fromkeys(ids, "adopted") | {
        pane["agent_id"]: "managed" for pane in layout["panes"]
    }
    assert agent(tower, ids[0])["last_seen_at"] is not None

    before = whole_rows(tower, bench, ids)
    alive = tmux(bench, "list-panes", "-a", "-F", "#{pane_pid}")
    assert len(before) == 4
    for agent_id in ids:
        for method, params in (
            ("managed.pane.remove", {"pane_id": agent_id}),
            ("managed.pane.recreate", {"predecessor_pane_id": agent_id}),
        ):
            error = refusal(tower, method, params)
            assert error["code"] == "managed_pane_protected_adopted"
            assert error["details"] == {"agent_id": agent_id, "is_adopted": True}
    assert tmux(bench, "list-panes", "-a", "-F", "#{pane_pid}") == alive

    victim = layout["panes"][1]
    tower.result("managed.pane.remove", {"pane_id": victim["pane_id"]})
    again = tower.result("managed.pane.recreate", {"predecessor_pane_id": victim["pane_id"]})
    successor = next(
        pane for pane in settled(tower, layout_id)["panes"] if pane["pane_id"] == again["pane_id"]
    )
    tower.result("set_label", {"agent_id": successor["agent_id"], "label": "renamed"})
    tower.result("managed.layout.remove", {"layout_id": layout_id})
    assert whole_rows(tower, bench, ids) == before
    gone = scan(tower, bench)
    assert gone["panes_reconciled_to_inactive"] == 3
    assert set(panes(tower, bench, active_only=True)) == {"mine:0.0", "yours:0.0"}
    assert all(agent(tower, agent_id)["active"] for agent_id in ids)


def test_a_managed_pane_that_moves_keeps_its_agent(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    """Removing one pane renumbers its neighbours; those are ours to follow."""
    bench = bench_with_logs(tower, bench_factory)
    layout = settled(tower, create(tower, bench)["layout_id"])
    scan(tower, bench)
    tower.result("managed.pane.remove", {"pane_id": layout["panes"][0]["pane_id"]})
    scan(tower, bench)
    for pane in layout["panes"][1:]:
        assert agent(tower, pane["agent_id"])["active"], pane
    shown = panes(tower, bench, active_only=True).values()
    assert {row["agent_id"] for row in shown} == {p["agent_id"] for p in layout["panes"][1:]}
    # Who lives there may register itself anew, and stays who it is.
    row = next(iter(shown))
    done = adopt(tower, row, capability="codex")
    assert (done["agent_id"], done["origin"]) == (row["agent_id"], "managed")
    assert done["created_or_reactivated"] == "updated"


def test_panes_vanish_return_and_are_renumbered(tower: Tower, bench_factory: BenchFactory) -> None:
    bench = bench_with_logs(tower, bench_factory, image="trixie")
    start(bench, "mine")
    tmux(bench, "new-window", "-d", "-t", "mine:3", "sleep", "infinity")
    start(bench, "yours", "-L", "other")
    scan(tower, bench)
    found = panes(tower, bench)
    moving = adopt(tower, found["mine:3.0"], role="slave")["agent_id"]
    other = adopt(tower, found["yours:0.0"], role="slave")["agent_id"]

    tmux(bench, "move-window", "-s", "mine:3", "-t", "mine:7")
    scan(tower, bench)
    found = panes(tower, bench)
    assert (found["mine:3.0"]["active"], found["mine:7.0"]["active"]) == (False, True)
    assert not agent(tower, moving)["active"]
    tmux(bench, "move-window", "-s", "mine:7", "-t", "mine:3")
    scan(tower, bench)
    assert panes(tower, bench)["mine:3.0"]["active"]
    assert not agent(tower, moving)["active"], "only a registration brings an agent back"
    back = adopt(tower, found["mine:3.0"])
    assert (back["agent_id"], back["created_or_reactivated"]) == (moving, "reactivated")

    # A killed server leaves its socket; a new one begins anew with %0 in the same place.
    tmux(bench, "-L", "other", "kill-server")

    def gone() -> bool:
        assert scan(tower, bench)["status"] == "ok"
        return not panes(tower, bench)["yours:0.0"]["active"]

    wait_until(gone, 10, "the dead server to be seen")
    assert not agent(tower, other)["active"]
    start(bench, "yours", "-L", "other")
    scan(tower, bench)
    again = adopt(tower, panes(tower, bench)["yours:0.0"])
    assert (again["agent_id"], again["created_or_reactivated"]) == (other, "reactivated")
    assert agent(tower, moving)["active"]
    tmux(bench, "-L", "other", "kill-server")
    start(bench, "yours", "-L", "other")  # unseen between two scans
    done = scan(tower, bench)
    assert (done["panes_newly_active"], done["panes_reconciled_to_inactive"]) == (1, 1)
    assert not agent(tower, other)["active"]

    bench.stop(timeout=1)
    tower.result("scan_containers")
    done = tower.result("scan_panes")
    assert done["containers_skipped_inactive"] == 1
    assert not agent(tower, moving)["active"]
    error = refusal(tower, "set_role", {"agent_id": moving, "role": "shell"})
    assert error["code"] == "agent_inactive"
    roles = [line for line in audit_lines(tower) if line["type"] == "agent_role_change"]
    assert [line["payload"]["agent_id"] for line in roles] == [moving, other]


def test_a_frozen_bench_loses_nobody(tower: Tower, bench_factory: BenchFactory) -> None:
    stuck, other = (bench_with_logs(tower, bench_factory) for _ in range(2))
    for bench in (stuck, other):
        start(bench, "mine")
    tower.result("scan_panes")
    agent_id = adopt(tower, panes(tower, stuck)["mine:0.0"], role="slave")["agent_id"]
    with frozen(stuck):
        done = tower.result("scan_panes")
    assert done["status"] == "degraded"
    assert [detail["container_id"] for detail in done["error_details"]] == [stuck.id]
    assert done["error_code"] in ("docker_exec_timeout", "docker_exec_failed")
    assert (done["containers_tmux_unavailable"], done["panes_seen"]) == (1, 1)
    assert panes(tower, stuck)["mine:0.0"]["active"]
    assert agent(tower, agent_id)["active"]
    assert tower.result("scan_panes")["status"] == "ok"


def test_an_agent_is_registered_with_its_log_or_not_at_all(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    bench = bench_with_logs(tower, bench_factory)
    tmux(bench, "new-session", "-d", "-s", "mine", "cat")
    scan(tower, bench)
    mine = panes(tower, bench)["mine:0.0"]
    params = {"container_id": bench.id, "pane_composite_key": key(mine)}
    error = refusal(tower, "register_agent", params | {"attach_log": {"log_path": "/nowhere/x"}})
    assert error["code"] == "log_path_not_host_visible"
    assert tower.result("list_agents")["agents"] == []

    done = adopt(tower, mine, role="slave", attach_log={})
    assert done["created_or_reactivated"] == "created"
    assert done["agent"]["agent_id"] == done["agent_id"]
    attached = done["attach_log"]
    assert (attached["source"], attached["status"]) == ("register_self", "active")
    assert (attached["byte_offset"], attached["is_new"]) == (0, True)
    log = Path(attached["log_path"])
    assert log.name == f"{done['agent_id']}.log"
    tmux(bench, "send-keys", "-t", "mine", "hello", "Enter")
    wait_until(lambda: log.read_text().count("hello") == 2, 10, "what cat says in the log")

    again = adopt(tower, mine, label="me", attach_log={})
    assert (again["created_or_reactivated"], again["label"]) == ("updated", "me")
    assert (again["agent_id"], again["attach_log"]["is_new"]) == (done["agent_id"], False)
    audits = [line for line in audit_lines(tower) if line["type"] == "log_attachment_change"]
    assert len(audits) == 1


def audit_lines(tower: Tower) -> list[dict[str, Any]]:
    """The audit lines that have reached ``events.jsonl``."""

    def relayed() -> list[dict[str, Any]]:
        lines = tower.home.paths.events_file.read_text(encoding="utf-8").splitlines()
        return [line for line in map(json.loads, lines) if "type" in line]

    wait_until(lambda: len(relayed()) >= 2, 10, "the audit lines to be relayed")
    assert relayed_events(tower) is not None
    return relayed()


CLIENT = "PYTHONPATH=/opt/at python3 -m agenttower.client register-self"


@pytest.fixture
def register_self(
    tower: Tower, bench_factory: BenchFactory
) -> Callable[..., tuple[Container, Callable[..., dict[str, Any]]]]:
    """A bench with the socket and our client, and what runs the client in a pane of it."""

    def make(**options: Any) -> tuple[Container, Callable[..., dict[str, Any]]]:
        state = tower.home.paths.state_dir
        mounts = {state: str(state), PACKAGE: ("/opt/at/agenttower", "ro")}
        bench = bench_factory(mounts=mounts, **options)
        tower.result("scan_containers")

        def run(session: str, arguments: str, where: tuple[str, ...] = ()) -> dict[str, Any]:
            """Type the command into a new pane, as a person or an agent there would."""
            line = f"AGENTTOWER_SOCKET={tower.socket_path} {CLIENT} --json {arguments}"
            answer = f"/tmp/{session}"
            script = f"{line} >{answer}.new 2>&1; mv {answer}.new {answer}; sleep 1d"
            tmux(bench, *where, "new-session", "-d", "-s", session, script)

            def said() -> str:
                done = bench.exec_run(["cat", answer])
                return str(done.output.decode()) if done.exit_code == 0 else ""

            reply = json.loads(wait_until(said, 30, "the client to answer"))
            assert isinstance(reply, dict)
            return reply

        return bench, run

    return make


def test_an_agent_registers_itself(
    tower: Tower, bench_factory: BenchFactory, register_self: Callable[..., Any]
) -> None:
    bench, run = register_self()
    reply = run("first", "--role slave --label 'me, ü' --project /src", ("-L", "other"))
    assert reply["ok"], reply
    me = reply["result"]
    assert (me["created_or_reactivated"], me["label"], me["role"]) == ("created", "me, ü", "slave")
    assert (me["container_id"], me["tmux_session_name"]) == (bench.id, "first")
    assert me["tmux_socket_path"].endswith("/other")
    assert agent(tower, me["agent_id"])["origin"] == "adopted"

    child = run("second", f"--role swarm --parent {me['agent_id']}")["result"]
    assert child["parent_agent_id"] == me["agent_id"]
    assert run("third", "--role master")["error"]["code"] == "master_via_register_self_rejected"
    assert run("fourth", "--role swarm")["error"]["code"] == "swarm_parent_required"

    logged = run("logged", "--role slave --attach-log")["result"]
    assert logged["agent"]["agent_id"] == logged["agent_id"]
    assert logged["attach_log"]["status"] == "active"
    assert Path(logged["attach_log"]["log_path"]).is_relative_to(tower.home.paths.logs_dir)

    outside = bench.exec_run(
        ["sh", "-c", f"{CLIENT} --json"], environment={"AGENTTOWER_SOCKET": str(tower.socket_path)}
    )
    assert outside.exit_code == 3
    assert json.loads(outside.output)["error"]["code"] == "not_in_tmux"


def test_a_bench_client_adopts_in_its_own_container_only(
    tower: Tower, bench_factory: BenchFactory
) -> None:
    own, other = (bench_with_socket(tower, bench_factory) for _ in range(2))
    start(own, "mine")
    start(other, "theirs")
    tower.result("scan_panes")
    theirs = panes(tower, other)["theirs:0.0"]
    victim = adopt(tower, theirs, role="slave")["agent_id"]

    def refused(method: str, params: dict[str, Any]) -> None:
        reply = ask_from(own, tower, method, params)
        assert reply["ok"] is False, reply
        assert reply["error"]["code"] == "host_only", reply

    for ref in (other.id, other.name, "0" * 64):
        refused("scan_panes", {"container": ref})
    refused("register_agent", {"container_id": other.id, "pane_composite_key": key(theirs)})
    refused("set_label", {"agent_id": victim, "label": "x"})
    refused("set_role", {"agent_id": victim, "role": "shell"})
    refused("set_capability", {"agent_id": "agt_ffffffffffff", "capability": "x"})
    assert agent(tower, victim)["label"] == ""

    assert ask_from(own, tower, "scan_panes", {})["result"]["containers_scanned"] == 1
    shown = ask_from(own, tower, "list_panes", {})["result"]["panes"]
    assert {row["container_id"] for row in shown} == {own.id}
    mine = ask_from(
        own,
        tower,
        "register_agent",
        {"container_id": own.id, "pane_composite_key": key(shown[0]), "role": "slave"},
    )["result"]["agent_id"]
    assert ask_from(own, tower, "set_label", {"agent_id": mine, "label": "me"})["ok"]
    refused("set_role", {"agent_id": mine, "role": "master", "confirm": True})
    assert tower.result("set_role", {"agent_id": mine, "role": "master", "confirm": True})
