"""What a pane scan makes of what it sees (legacy surfaces part 1, section 7.3)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agenttower.bench.interface import Discovery
from agenttower.errors import (
    BadRequest,
    BenchTimeout,
    DockerTimeout,
    DockerUnavailable,
    HostOnly,
)
from agenttower.services.caller import HOST, Caller
from agenttower.store import agents
from agenttower.store.models import Agent, LogAttachment
from tests.support.registry_rows import (
    C1,
    C2,
    DEFAULT,
    OTHER,
    PANE_ID,
    TOKEN,
    FakeBench,
    Registry,
    found,
    managed,
    no_answer,
    open_registry,
    seen,
)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with open_registry(tmp_path) as registry:
        yield registry


def shown(registry: Registry, **filters: Any) -> list[tuple[str, bool]]:
    wanted = {"active_only": False, "container": None, **filters}
    panes = registry.discovery.listing(HOST, **wanted)["panes"]
    return [(pane["tmux_pane_id"], pane["active"]) for pane in panes]


def alive(agent_id: str) -> bool:
    return bool(Agent.get_by_id(agent_id).active)


def test_a_first_scan_counts_what_it_saw(registry: Registry) -> None:
    done = registry.scan(found(), found(pane_id="%1", pane_index=1), sockets=(OTHER,))
    assert done["status"] == "ok"
    counts = {name: value for name, value in done.items() if isinstance(value, int)}
    assert counts == {
        "containers_scanned": 1,
        "sockets_scanned": 2,
        "panes_seen": 2,
        "panes_newly_active": 2,
        "panes_reconciled_to_inactive": 0,
        "containers_skipped_inactive": 0,
        "containers_tmux_unavailable": 0,
    }
    assert (done["error_code"], done["error_message"], done["error_details"]) == (None, None, [])
    assert registry.audits("pane_scan_degraded") == []
    [row] = registry.rows("pane_scan")
    assert row["scan_id"] == done["scan_id"]
    assert row["panes_reconciled_inactive"] == 0


def test_a_pane_that_is_not_listed_becomes_inactive_and_comes_back(registry: Registry) -> None:
    registry.scan(found(), found(pane_id="%1", pane_index=1))
    first = registry.discovery.listing(HOST, active_only=False, container=C1)["panes"][1]
    gone = registry.scan(found())
    assert gone["panes_reconciled_to_inactive"] == 1
    assert shown(registry) == [("%0", True), ("%1", False)]
    assert shown(registry, active_only=True) == [("%0", True)]
    back = registry.scan(found(), found(pane_id="%1", pane_index=1, title="new"))
    assert back["panes_newly_active"] == 1
    again = registry.discovery.listing(HOST, active_only=False, container="one")["panes"][1]
    assert (again["pane_title"], again["first_seen_at"]) == ("new", first["first_seen_at"])


def test_a_dead_socket_takes_its_panes_and_is_no_failure(registry: Registry) -> None:
    registry.scan(found(), found(socket_path=OTHER))
    done = registry.scan(found(), sockets=(OTHER,))  # listed, nobody listens
    assert done["status"] == "ok"
    assert shown(registry) == [("%0", True), ("%0", False)]


@pytest.mark.parametrize("sockets", [(DEFAULT,), (DEFAULT, OTHER)])
def test_a_socket_that_fails_says_nothing_about_its_panes(
    registry: Registry, sockets: tuple[str, ...]
) -> None:
    """Alone or beside one that works: unreachable is not gone."""
    registry.scan(found(), found(socket_path=OTHER))
    before = registry.rows("pane")
    other = [found(socket_path=OTHER)] if OTHER in sockets else []
    done = registry.scan(*other, sockets=sockets, failures=[no_answer()])
    assert done["status"] == "degraded"
    assert done["error_details"] == [
        {
            "container_id": C1,
            "tmux_socket_path": DEFAULT,
            "error_code": "docker_exec_timeout",
            "error_message": "it did not answer",
        }
    ]
    assert done["panes_reconciled_to_inactive"] == 0
    assert done["containers_tmux_unavailable"] == (0 if other else 1)
    after = registry.rows("pane")
    for old, new in zip(before, after, strict=True):
        assert new["last_scanned_at"] > old["last_scanned_at"]
        seen_anew = bool(other) and new["tmux_socket_path"] == OTHER
        assert (new["last_seen_at"] > old["last_seen_at"]) is seen_anew
        times = {"last_scanned_at": 0, "last_seen_at": 0}
        assert {**new, **times} == {**old, **times}
    [line] = map(json.loads, registry.audits("pane_scan_degraded"))
    assert line == {key: done[key] for key in line}
    assert list(line) == ["scan_id", "error_code", "error_message", "error_details"]


def test_a_bench_that_cannot_be_asked_keeps_everything(registry: Registry) -> None:
    registry.scan(found())
    agent = registry.register(found())["agent_id"]
    registry.benches.answers[C1] = BenchTimeout("frozen")
    done = registry.scan_as(HOST, None)
    assert (done["status"], done["error_code"]) == ("degraded", "docker_exec_timeout")
    assert "tmux_socket_path" not in done["error_details"][0]
    assert shown(registry) == [("%0", True)]
    assert alive(agent)


def test_an_engine_that_is_away_fails_the_whole_scan(registry: Registry) -> None:
    registry.scan(found())
    registry.benches.answers[C1] = DockerUnavailable("no engine")
    with pytest.raises(DockerUnavailable, match="no engine"):
        registry.scan_as(HOST, None)
    assert shown(registry) == [("%0", True)]
    assert [row["status"] for row in registry.rows("pane_scan")] == ["ok", "failed"]
    assert len(registry.audits("pane_scan_degraded")) == 1
    registry.benches.answers[C1] = DockerTimeout("slow about this one")
    assert registry.scan_as(HOST, None)["error_code"] == "docker_exec_timeout"


def test_an_inactive_container_is_not_asked_and_its_panes_are_gone(registry: Registry) -> None:
    registry.scan(found())
    agent = registry.register(found())["agent_id"]
    registry.container(C1, "one", active=False)
    registry.benches.asked.clear()
    done = registry.scan_as(HOST, None)
    assert registry.benches.asked == []
    assert (done["containers_skipped_inactive"], done["panes_reconciled_to_inactive"]) == (1, 1)
    assert done["containers_scanned"] == 0
    assert not alive(agent)
    assert registry.scan_as(HOST, None)["containers_skipped_inactive"] == 0


def test_agents_and_logs_follow_their_pane(registry: Registry) -> None:
    registry.scan(found())
    agent = registry.register(found())
    assert agent["last_seen_at"] is None
    LogAttachment.insert(
        fetched=0, fetched_size=0,
        attachment_id="lat_0123456789ab", agent_id=agent["agent_id"], log_path="/l",
        status="active", source="explicit", attached_at=1, last_status_at=1, created_at=1,
        via="pipe",
    ).execute()  # fmt: skip
    scan = registry.scan(found())
    assert alive(agent["agent_id"])
    [pane] = registry.discovery.listing(HOST, active_only=True, container=None)["panes"]
    assert pane["agent_id"] == agent["agent_id"]
    assert scan["status"] == "ok"
    assert Agent.get_by_id(agent["agent_id"]).last_seen_at is not None

    registry.scan(sockets=(DEFAULT,))
    assert not alive(agent["agent_id"])
    assert [row["status"] for row in registry.rows("log_attachment")] == ["stale"]
    [line] = map(json.loads, registry.audits("log_attachment_change"))
    assert (line["prior_status"], line["new_status"]) == ("active", "stale")
    assert (line["prior_path"], line["new_path"], line["source"]) == ("/l", "/l", "explicit")

    registry.scan(found())  # the pane is back, and that alone brings nobody back
    assert not alive(agent["agent_id"])
    again = registry.register(found())
    assert (again["agent_id"], again["created_or_reactivated"]) == (
        agent["agent_id"],
        "reactivated",
    )


def test_another_server_at_the_same_key_is_another_pane(registry: Registry) -> None:
    registry.scan(found())
    agent = registry.register(found())["agent_id"]
    done = registry.scan(found(server="9 2000"))
    assert (done["panes_newly_active"], done["panes_reconciled_to_inactive"]) == (1, 1)
    assert not alive(agent)
    assert registry.register(found())["created_or_reactivated"] == "reactivated"
    registry.scan(found(server="9 2000"))
    assert alive(agent)


def test_a_renumbered_window_is_another_pane(registry: Registry) -> None:
    registry.scan(found(window_index=1))
    agent = registry.register(found(window_index=1))["agent_id"]
    registry.scan(found(window_index=0))
    assert shown(registry) == [("%0", True), ("%0", False)]
    assert not alive(agent)
    assert registry.register(found(window_index=0))["created_or_reactivated"] == "created"


@pytest.mark.parametrize("title", ["@MANAGED:abc:s1", "plain"])
def test_a_pane_that_is_being_made_is_skipped(registry: Registry, title: str) -> None:
    managed("creating")
    token = "" if title.startswith("@") else TOKEN
    done = registry.scan(found(title=title, token=token))
    assert (done["panes_seen"], done["status"], shown(registry)) == (0, "ok", [])


def test_a_pane_that_is_skipped_is_not_called_gone(registry: Registry) -> None:
    registry.scan(found())
    done = registry.scan(found(title="@MANAGED:made:up"))
    assert done["panes_reconciled_to_inactive"] == 0
    assert shown(registry) == [("%0", True)]


def test_a_settled_pane_of_ours_is_shown_and_its_agent_left_to_the_worker(
    registry: Registry,
) -> None:
    managed()
    key = {
        "container_id": C1, "tmux_socket_path": DEFAULT, "tmux_session_name": "work",
        "tmux_window_index": 0, "tmux_pane_index": 0, "tmux_pane_id": "%0",
    }  # fmt: skip
    row = {
        "agent_id": "agt_0123456789ab", **key, "role": "slave", "capability": "x", "label": "s1",
        "project_path": "", "origin": "managed",
    }  # fmt: skip
    agents.upsert(row, 1)
    done = registry.scan(found(token=TOKEN, pane_index=1))  # a sibling went, it moved up
    assert done["panes_seen"] == 1
    [pane] = registry.discovery.listing(HOST, active_only=True, container=None)["panes"]
    assert pane["origin"] == "managed"
    assert (pane["agent_id"], pane["managed_pane_id"]) == ("agt_0123456789ab", PANE_ID)
    agent = Agent.get_by_id("agt_0123456789ab")
    assert agent.active
    assert agent.last_seen_at is not None
    registry.scan(sockets=(DEFAULT,))
    assert Agent.get_by_id("agt_0123456789ab").active


def test_a_token_of_another_container_means_nothing(registry: Registry) -> None:
    managed("creating", container_id=C2)
    assert registry.scan(found(token=TOKEN))["panes_seen"] == 1
    [pane] = registry.discovery.listing(HOST, active_only=True, container=None)["panes"]
    assert (pane["origin"], pane["managed_pane_id"]) == (None, None)


def test_text_is_cleaned_and_cut_and_the_cut_is_told(registry: Registry) -> None:
    done = registry.scan(
        found(title="a\tb\x1b[31m\nc\x7f", current_command="x" * 3000, current_path="/" * 4096)
    )
    [pane] = registry.discovery.listing(HOST, active_only=True, container=None)["panes"]
    assert pane["pane_title"] == "a b[31m c"
    assert len(pane["pane_current_command"]) == 2048
    assert (done["status"], done["error_code"]) == ("degraded", "output_malformed")
    assert done["error_details"][0]["pane_truncations"] == [
        {"tmux_pane_id": "%0", "field": "pane_current_command", "original_len": 3000}
    ]


def test_errors_stand_in_the_order_of_containers(registry: Registry) -> None:
    registry.container(C2, "two")
    registry.benches.answers = {C1: BenchTimeout("one"), C2: RuntimeError("a bug")}
    done = registry.scan_as(HOST, None)
    told = [(item["container_id"], item["error_code"]) for item in done["error_details"]]
    assert told == [(C1, "docker_exec_timeout"), (C2, "internal_error")]
    assert done["error_message"] == "one"
    assert "a bug" not in done["error_details"][1]["error_message"]


def test_a_bench_client_scans_and_sees_its_own(registry: Registry) -> None:
    registry.container(C2, "two")
    registry.benches.answers = {C1: seen(found()), C2: seen(found())}
    bench = Caller("bench", C2)
    assert registry.scan_as(bench, None)["containers_scanned"] == 1
    assert registry.benches.asked == [C2]
    for foreign in (C1, "one", "nobody"):
        with pytest.raises(HostOnly):
            registry.scan_as(bench, foreign)
    registry.scan_as(HOST, None)
    panes = registry.discovery.listing(bench, active_only=False, container=None)["panes"]
    assert {pane["container_id"] for pane in panes} == {C2}
    hidden = registry.discovery.listing(bench, active_only=False, container=C1)
    assert (hidden["panes"], hidden["container_filter"]) == ([], C1)
    with pytest.raises(HostOnly):
        registry.discovery.listing(Caller("unknown"), active_only=False, container=None)


def test_a_container_that_is_not_known_is_refused(registry: Registry) -> None:
    with pytest.raises(BadRequest, match="nobody"):
        registry.scan_as(HOST, "nobody")
    assert registry.rows("pane_scan") == []


def test_who_waits_for_his_turn_holds_no_thread_and_is_woken(registry: Registry) -> None:
    inner: list[Any] = []
    woken: list[bool] = []

    class Asking(FakeBench):
        def discover_panes(self, deadline: float) -> Discovery:
            inner.append(registry.discovery.scan(HOST, None))
            return super().discover_panes(deadline)

    registry.benches.get = lambda _: Asking(seen(found()))  # type: ignore[method-assign]
    registry.discovery._wake_readers = lambda: woken.append(registry.discovery._one_scan.locked())
    registry.scan_as(HOST, None)
    assert inner == [None]
    assert woken == [True, False]  # with the commit, and once more when the turn was given up
    assert len(registry.rows("pane_scan")) == 1
