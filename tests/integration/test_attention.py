"""A pane that waits for a person says so everywhere, from its launch on, while it waits."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest
from docker.models.containers import Container

from tests.support.docker import BenchFactory
from tests.support.layouts import bench_with_logs, create, tmux, write_profile, write_template
from tests.support.mock_agent import PROGRAM
from tests.support.tower import Tower
from tests.support.waiting import wait_until

TRUST = "Do you trust the files in this folder?"


@pytest.fixture
def bench(tower: Tower, bench_factory: BenchFactory) -> Container:
    """A bench with the mock agent and a layout template ``agents`` of two of them.

    The first begins with a trust dialog; both ask for permission when told "ask", and fail when
    told "fail".
    """
    container = bench_with_logs(tower, bench_factory)
    program = str(tower.home.paths.logs_dir / PROGRAM.name)
    (tower.home.paths.logs_dir / PROGRAM.name).write_bytes(PROGRAM.read_bytes())
    replies = ["--reply", "ask => !ask rm -rf build | done", "--reply", "fail => !error broken",
               "--reply", "Is that all? Shall I go on?"]  # fmt: skip
    command = ["python3", program, "--think", "0.1", *replies]
    write_profile(tower, "trusting", [*command, "--trust"])
    write_profile(tower, "plain", command)
    write_template(tower, "agents", [{"default_launch_command_ref": "trusting"},
                                     {"default_launch_command_ref": "plain"}])  # fmt: skip
    return container


class Pane:
    """One managed pane, seen and typed into from outside."""

    def __init__(self, tower: Tower, bench: Container, pane_id: str) -> None:
        self.tower, self.bench, self.pane_id = tower, bench, pane_id

    def detail(self) -> dict[str, Any]:
        detail = self.tower.result("managed.pane.detail", {"pane_id": self.pane_id})
        assert isinstance(detail, dict)
        return detail

    def waits(self, kind: str | None, deadline_s: float = 20.0) -> dict[str, Any]:
        """The pane, once it waits in this way."""

        def look() -> dict[str, Any] | None:
            pane = self.detail()
            seen = pane["attention"]
            return pane if (seen and seen["kind"]) == kind else None

        pane = wait_until(look, deadline_s, f"attention to be {kind}")
        assert pane is not None
        return pane

    def keys(self, *keys: str) -> None:
        tmux(self.bench, "send-keys", "-t", self.detail()["tmux_pane_id"], *keys)


def panes_of(tower: Tower, bench: Container, layout_id: str) -> list[Pane]:
    detail = tower.result("managed.layout.detail", {"layout_id": layout_id})
    return [Pane(tower, bench, pane["pane_id"]) for pane in detail["panes"]]


def waiting_events(tower: Tower) -> list[tuple[str, str]]:
    """Agent and rule of every event that a screen has caused."""
    with closing(sqlite3.connect(tower.home.paths.database)) as database:
        return database.execute(
            "SELECT agent_id, json_extract(payload, '$.classifier_rule_id') FROM event"
            " WHERE kind = 'agent' AND event_type = 'waiting_for_input'"
            " AND json_extract(payload, '$.classifier_rule_id') LIKE 'screen.%' ORDER BY id"
        ).fetchall()


def test_from_the_launch_on_until_it_is_answered(tower: Tower, bench: Container) -> None:
    layout_id = create(tower, bench, "agents")["layout_id"]
    first, second = panes_of(tower, bench, layout_id)
    pane = first.waits("trust_dialog")
    assert TRUST in pane["attention"]["text"]
    assert pane["attention"]["rule_id"] == "screen.trust.v1"
    assert second.waits(None)["attention"] is None

    detail = tower.result("managed.layout.detail", {"layout_id": layout_id})
    assert detail["attention"]["count"] == 1
    assert detail["attention"]["label"] == pane["label"]
    listed = tower.result("managed.layout.list", {})["items"][0]
    assert listed["attention"] == detail["attention"]
    told = tower.result("status")["attention"]
    assert told["count"] == 1
    assert told["panes"][0]["text"] == pane["attention"]["text"]
    wait_until(lambda: len(waiting_events(tower)) == 1, 20, "the event, once the log is attached")
    agents = tower.result("list_agents", {})["agents"]
    seen = {agent["label"]: agent["attention"] for agent in agents}
    assert seen[pane["label"]]["kind"] == "trust_dialog"

    revision = tower.result("managed.layout.detail", {"layout_id": layout_id})["revision"]
    first.keys("Enter")
    watch = {"layout_id": layout_id, "after_revision": revision, "wait_seconds": 25}
    assert tower.result("managed.layout.watch", watch)["layout"]["attention"] is None
    assert first.detail()["attention"] is None

    first.keys("hello", "Enter")
    second.keys("ask", "Enter")
    pane = second.waits("permission")
    assert "rm -rf build" in pane["attention"]["text"]
    assert first.detail()["attention"] is None  # it ends in a question, and takes prompts
    second.keys("1")
    second.waits(None)
    second.keys("fail", "Enter")
    second.waits("error")
    rules = [rule for _, rule in waiting_events(tower)]
    assert rules == ["screen.trust.v1", "screen.permission_choice.v1"]


def test_an_adopted_agent_on_a_server_of_its_own(tower: Tower, bench: Container) -> None:
    """Without a log it is looked at by itself; nothing is changed about its pane."""
    format_ = "#{socket_path} #{pane_id} #{pane_pid}"
    shell = "read -p 'Overwrite? [y/N] ' x; exec sleep infinity"
    made = tmux(bench, "-L", "own", "new-session", "-dP", "-F", format_, "bash", "-c", shell)
    socket, pane_id, pid = made.split()
    row = {
        "agent_id": "agt_0123456789ab", "container_id": bench.id, "tmux_socket_path": socket,
        "tmux_session_name": "0", "tmux_window_index": 0, "tmux_pane_index": 0,
        "tmux_pane_id": pane_id, "pane_pid": int(pid), "role": "slave", "capability": "shell",
        "label": "hers", "project_path": "", "origin": "adopted", "created_at": 1,
        "last_registered_at": 1, "active": 1,
    }  # fmt: skip
    names = ", ".join(row)
    marks = ", ".join(f":{name}" for name in row)
    with closing(sqlite3.connect(tower.home.paths.database)) as database, database:
        database.execute(f"INSERT INTO agent ({names}) VALUES ({marks})", row)

    def waits() -> object:
        agents = tower.result("list_agents", {})["agents"]
        return agents[0]["attention"]

    seen = wait_until(waits, 20, "the question to be seen")
    assert isinstance(seen, dict)
    assert (seen["kind"], seen["text"]) == ("confirm", "Overwrite? [y/N]")
    listed = tower.result("status")["attention"]["panes"]
    assert [(pane["label"], pane["origin"]) for pane in listed] == [("hers", "adopted")]
    tmux(bench, "-L", "own", "send-keys", "-t", pane_id, "n", "Enter")
    wait_until(lambda: waits() is None, 20, "the answer to be seen")


def test_a_pane_whose_program_ends_waits_no_more(tower: Tower, bench: Container) -> None:
    layout_id = create(tower, bench, "agents")["layout_id"]
    first, _ = panes_of(tower, bench, layout_id)
    first.waits("trust_dialog")
    first.keys("2")
    pane = first.waits(None)
    wait_until(lambda: first.detail()["exit_code"] == 1, 20, "the exit to be noticed")
    assert pane["attention"] is None
    assert tower.result("status")["attention"]["count"] == 0


def test_it_shows_while_the_pane_is_being_created(tower: Tower, bench: Container) -> None:
    tower.stop("worker")
    layout_id = create(tower, bench, "agents")["layout_id"]
    tower.start("worker", environ={"AGENTTOWER_CRASH_AT": "registration.claimed"})
    tower.wait_killed("worker")
    first, _ = panes_of(tower, bench, layout_id)
    pane = first.detail()
    assert pane["state"] == "creating"
    assert pane["attention"]["kind"] == "trust_dialog"
    assert waiting_events(tower) == []
    tower.start("worker")
    wait_until(lambda: waiting_events(tower), 20, "the event, once the log is attached")
    assert first.waits("trust_dialog")["attention"]["since"] == pane["attention"]["since"]


def test_killed_before_the_commit_it_is_told_once(tower: Tower, bench: Container) -> None:
    tower.stop("worker")
    layout_id = create(tower, bench, "agents")["layout_id"]
    tower.start("worker", environ={"AGENTTOWER_CRASH_AT": "attention.settling"})
    first, _ = panes_of(tower, bench, layout_id)
    tower.wait_killed("worker")
    assert waiting_events(tower) == []
    tower.start("worker")
    first.waits("trust_dialog")
    wait_until(lambda: waiting_events(tower), 20, "the event")
    first.keys("Enter")
    first.waits(None)
    assert [rule for _, rule in waiting_events(tower)] == ["screen.trust.v1"]
