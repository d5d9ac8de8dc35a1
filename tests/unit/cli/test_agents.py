"""``agent show|register|set``, ``register-self``, ``scan --panes`` and ``pane all``."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.cli.conftest import Cli
from tests.unit.cli.fake_daemon import FakeDaemon, Refusal

C1 = "a" * 64
OTHER = "/tmp/tmux-0/other"


def agent(agent_id: str, label: str = "", **changes: Any) -> dict[str, Any]:
    plain = {
        "agent_id": agent_id, "label": label, "role": "slave", "container_id": C1,
        "tmux_pane_id": "%0", "active": True, "origin": "adopted",
    }  # fmt: skip
    return {**plain, **changes}


def pane(pane_id: str = "%3", **changes: Any) -> dict[str, Any]:
    plain = {
        "container_id": C1, "container_name": "bench-1", "tmux_socket_path": "/tmp/tmux-0/default",
        "tmux_session_name": "work", "tmux_window_index": 0, "tmux_pane_index": 1,
        "tmux_pane_id": pane_id, "pane_pid": 7, "pane_tty": "/dev/pts/1", "active": True,
        "pane_active": False, "pane_current_command": "bash", "pane_current_path": "/src\x1b",
        "last_scanned_at": "2026-05-06T18:01:34.512345+00:00", "agent_id": None, "origin": None,
    }  # fmt: skip
    return {**plain, **changes}


@pytest.fixture(autouse=True)
def answers(daemon: FakeDaemon) -> None:
    daemon.on("list_containers", {"containers": [{"id": C1, "name": "bench-1", "active": True}]})
    daemon.on("list_panes", {"panes": [pane(), pane("%4", tmux_pane_index=2)]})
    daemon.on("register_agent", {"agent_id": "agt_1", "created_or_reactivated": "created"})
    rows = [
        agent("agt_0123456789ab", "one"),
        agent("agt_0123aaaaaaaa", "two"),
        agent("agt_ffffffffffff", "two", active=False),
    ]
    daemon.on("list_agents", {"agents": rows})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("agt_0123456789ab", "agt_0123456789ab"),
        ("one", "agt_0123456789ab"),
        ("agt_01234", "agt_0123456789ab"),
        ("two", "agt_0123aaaaaaaa"),
        ("agt_f", "agt_ffffffffffff"),
    ],
)
def test_agents_by_id_beginning_or_label(cli: Cli, name: str, expected: str) -> None:
    ended = cli("agent", "show", name, "--json")
    assert json.loads(ended.out)["result"]["agent_id"] == expected


def test_names_that_fit_none_or_several(cli: Cli) -> None:
    ended = cli("agent", "show", "nobody")
    assert (ended.code, "agent_not_found" in ended.err) == (3, True)
    ended = cli("agent", "show", "agt_0123", "--json")
    assert ended.code == 2
    candidates = json.loads(ended.out)["error"]["details"]["candidates"]
    assert [row["label"] for row in candidates] == ["one", "two"]


@pytest.mark.parametrize("name", ["%3", "work:0.1"])
def test_registering_a_pane_sends_what_was_typed(cli: Cli, daemon: FakeDaemon, name: str) -> None:
    options = ("--role", "swarm", "--label", "", "--parent", "one")
    ended = cli("agent", "register", "bench-1", name, *options)
    assert (ended.code, ended.lines[0]) == (0, "agent_id=agt_1")
    [params] = daemon.params_of("register_agent")
    key = params.pop("pane_composite_key")
    assert params == {
        "container_id": C1,
        "role": "swarm",
        "label": "",
        "parent_agent_id": "agt_0123456789ab",
    }
    assert (key["tmux_pane_id"], len(key)) == ("%3", 6)
    assert daemon.params_of("scan_panes") == []


def test_a_pane_that_is_not_known_is_looked_for_once(cli: Cli, daemon: FakeDaemon) -> None:
    daemon.on("scan_panes", {})
    ended = cli("agent", "register", "bench-1", "%9")
    assert (ended.code, "pane_unknown_to_daemon" in ended.err) == (3, True)
    assert daemon.params_of("scan_panes") == [{"container": C1}]


def test_a_pane_id_on_several_servers(cli: Cli, daemon: FakeDaemon) -> None:
    daemon.on("list_panes", {"panes": [pane(), pane(tmux_socket_path=OTHER)]})
    ended = cli("agent", "register", "bench-1", "%3")
    assert (ended.code, "--tmux-socket" in ended.err, OTHER in ended.err) == (2, True, True)
    for socket in ("other", OTHER):
        assert cli("agent", "register", "bench-1", "%3", "--tmux-socket", socket).code == 0
    sent = [
        one["pane_composite_key"]["tmux_socket_path"] for one in daemon.params_of("register_agent")
    ]
    assert sent == [OTHER, OTHER]


def test_setting_several_things_the_role_last(cli: Cli, daemon: FakeDaemon) -> None:
    for method in ("set_label", "set_capability"):
        field = method.removeprefix("set_")
        daemon.on(method, {"agent_id": "a", "field": field, "prior_value": "x", "new_value": "y"})

    def refuse(_params: dict[str, Any]) -> object:
        raise Refusal("master_confirm_required", "confirm it")

    daemon.on("set_role", refuse)
    ended = cli("agent", "set", "one", "--role", "master", "--label", "l", "--capability", "c")
    assert (ended.code, "master_confirm_required" in ended.err) == (3, True)
    asked = [method for method, _ in daemon.requests if method.startswith("set_")]
    assert asked == ["set_label", "set_capability", "set_role"]
    assert daemon.params_of("set_role") == [
        {"agent_id": "agt_0123456789ab", "role": "master", "confirm": False}
    ]
    ended = cli("agent", "set", "one", "--label", "l")
    assert ended.lines[0].split("\t") == ["AGENT_ID", "FIELD", "PRIOR", "NEW", "AUDITED"]
    assert cli("agent", "set", "one").code == 2
    assert cli("agent", "set", "one", "--role", "swarm").code == 2


def test_all_panes_as_plain_lines(cli: Cli, daemon: FakeDaemon) -> None:
    ended = cli("pane", "all", "--active-only", "--container", "bench-1")
    assert daemon.params_of("list_panes") == [{"active_only": True, "container": "bench-1"}]
    head, first, _ = (line.split("\t") for line in ended.lines)
    assert head[:8] == ["ACTIVE", "FOCUSED", "CONTAINER", "SOCKET", "SESSION", "W", "P", "PANE_ID"]
    assert first[2] == C1
    assert "/src\\x1b" in first


def test_scanning_containers_and_panes(cli: Cli, daemon: FakeDaemon) -> None:
    daemon.on("scan_containers", {"status": "ok", "matched_count": 1})
    daemon.on("scan_panes", {"status": "degraded", "panes_seen": 2})
    assert cli("scan").code == 0
    assert daemon.params_of("scan_panes") == []
    ended = cli("scan", "--panes", "--container", "bench-1", "--json")
    assert (ended.code, json.loads(ended.out)["result"]["panes_seen"]) == (5, 2)
    assert daemon.params_of("scan_panes") == [{"container": "bench-1"}]
    ended = cli("scan", "--panes", "--containers", "--json")
    assert list(json.loads(ended.out)["result"]) == ["containers", "panes"]
    assert [method for method, _ in daemon.requests[-2:]] == ["scan_containers", "scan_panes"]
    assert cli("scan", "--container", "bench-1").code == 2
