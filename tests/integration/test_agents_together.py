"""Agents that we made and agents that somebody started by hand, in one bench, doing their work.

A master prompts its slave, the slave's output becomes an event, and a route turns that into a
prompt for the master, with nobody's help. Then the slave is removed and made anew. What was adopted
is the same afterwards, byte for byte: its rows, its panes, and what was typed into them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container

from tests.integration.test_agents import adopt, panes, scan, whole_rows
from tests.support.docker import BenchFactory
from tests.support.layouts import settled, tmux
from tests.support.mock_agent import MockAgent
from tests.support.mock_layout import MockLayout, add_mock_layout
from tests.support.state_home import StateHome
from tests.support.tower import Tower
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

BY_HAND = ("solo", "pair")
AGENTS = {"m1": ["--reply", "noted"], "s1": ["--reply", "REVIEW_REQUIRED now"]}
WAIT_S = 30.0


@pytest.fixture
def tower(state_home: StateHome, bench_factory: BenchFactory) -> Iterator[Tower]:
    """A tower whose operator lets routes prompt masters."""
    running = Tower(state_home)
    running.environ["DOCKER_HOST"] = bench_factory.engine.url
    running.environ["AGENTTOWER_CONTAINERS_NAME_CONTAINS"] = bench_factory.name_rule
    running.environ["AGENTTOWER_ROUTING_PROMPT_MASTERS"] = "true"
    try:
        running.start()
        yield running
    finally:
        running.close()


class ByHand:
    """Two agents that somebody started in a tmux of their own, and registered."""

    def __init__(self, tower: Tower, bench: Container, directory: Path) -> None:
        self.tower, self.bench = tower, bench
        self.agents = {name: MockAgent(directory, name) for name in BY_HAND}
        for name, agent in self.agents.items():
            tmux(bench, "new-session", "-d", "-x", "100", "-y", "30", "-s", name, *agent.argv())
        for name in BY_HAND:
            wait_until(lambda name=name: "─" * 8 in self.screen(name), WAIT_S, f"{name} to draw")
        scan(tower, bench)
        found = panes(tower, bench)
        self.ids = [
            adopt(tower, found[f"{name}:0.0"], role="slave", capability="mock", label=name)[
                "agent_id"
            ]
            for name in BY_HAND
        ]

    def screen(self, name: str) -> str:
        """What the pane shows, colours included."""
        return tmux(self.bench, "capture-pane", "-p", "-e", "-t", f"{name}:0.0")

    def everything(self) -> dict[str, Any]:
        """Rows, tmux's own view, screens, and every byte that was typed."""
        wanted = "#{pane_id} #{pane_pid} #{pane_title} #{pane_pipe} #{pane_in_mode} #{history_size}"
        return {
            "rows": whole_rows(self.tower, self.bench, self.ids),
            "tmux": [tmux(self.bench, "list-panes", "-t", name, "-F", wanted) for name in BY_HAND],
            "options": [tmux(self.bench, "show-options", "-p", "-t", name) for name in BY_HAND],
            "screens": [self.screen(name) for name in BY_HAND],
            "typed": [agent.raw() for agent in self.agents.values()],
        }


def route(tower: Tower, **said: str) -> str:
    params = {
        "event_type": "manual_review_needed",
        "source_scope_kind": "role",
        "source_scope_value": "role:slave",
        "target_rule": "explicit",
        "template": "{source_label} ({source_agent_id}) says: {event_excerpt}",
        **said,
    }
    return str(tower.result("routes.add", params)["route_id"])


def lines_about(tower: Tower, event_id: int) -> list[str]:
    """What ``events.jsonl`` tells of one event and of the prompts that it became, in order."""
    text = tower.home.paths.events_file.read_text()
    lines = [json.loads(line) for line in text.splitlines(True) if line.endswith("\n")]
    messages = {row["message_id"] for row in prompts(tower) if row["event_id"] == event_id}
    return [
        line["event_type"]
        for line in lines
        if "event_type" in line
        and (line.get("event_id") == event_id or line.get("message_id") in messages)
    ]


def prompts(tower: Tower) -> list[dict[str, Any]]:
    """The routed prompts."""
    rows = tower.result("queue.list", {"limit": 100})["rows"]
    return [row for row in rows if row["origin"] == "route"]


def reported(layout: MockLayout) -> str:
    """Wait until the master has been told what the present slave says; the whole text."""

    def told() -> str | None:
        texts = [prompt.decode() for prompt in layout.prompts("m1")]
        return next((text for text in texts if f"s1 ({layout.id('s1')}) says:" in text), None)

    text = wait_until(told, WAIT_S, "the master to hear of its slave")
    assert isinstance(text, str)
    return text


def all_delivered(tower: Tower) -> list[dict[str, Any]]:
    """Wait until nothing is under way between slave and master; every routed prompt."""

    def rest() -> list[dict[str, Any]] | None:
        rows = prompts(tower)
        return rows if {row["state"] for row in rows} == {"delivered"} else None

    return list(wait_until(rest, WAIT_S, "every prompt to be delivered"))


def command_slave(layout: MockLayout) -> None:
    """A prompt of the master for the slave, who takes it."""
    sent = layout.as_master("m1", "s1", b"build it")["result"]
    assert (sent["state"], sent["submission"]) == ("delivered", "submitted"), sent
    assert layout.prompts("s1")[-1].endswith(b"\n\nbuild it")


def recreate_slave(layout: MockLayout) -> None:
    """Remove the slave and make it anew."""
    old = layout.panes["s1"]
    layout.tower.result("managed.pane.remove", {"pane_id": old["pane_id"]})
    layout.agents["s1"].forget()
    params = {"predecessor_pane_id": old["pane_id"]}
    made = layout.tower.result("managed.pane.recreate", params)
    detail = settled(layout.tower, old["layout_id"], 60)
    layout.panes["s1"] = next(p for p in detail["panes"] if p["pane_id"] == made["pane_id"])
    assert layout.panes["s1"]["state"] == "ready", detail
    layout.ready("s1")


def test_a_slaves_output_prompts_its_master_and_adopted_agents_are_never_touched(
    tower: Tower, bench_factory: BenchFactory, tmp_path: Path
) -> None:
    directory = tmp_path / "mocks"
    directory.mkdir()
    logs = tower.home.paths.logs_dir
    bench = bench_factory(mounts={logs: str(logs), directory: str(directory)})
    tower.result("scan_containers")
    by_hand = ByHand(tower, bench, directory)
    before = by_hand.everything()
    assert len(before["rows"]) == 4, "two agents and two panes"

    layout = add_mock_layout(tower, bench, directory, AGENTS, "work")
    layout.ready("m1", "s1")
    by_label = route(tower, target_value="m1")
    by_id = route(tower, target_value=layout.id("s1"), template="never")
    tower.result("routes.disable", {"route_id": by_id})

    command_slave(layout)
    text = reported(layout)
    assert f'From: {layout.id("m1")} "m1" master' in text
    assert "REVIEW_REQUIRED" in text
    rows = all_delivered(tower)
    assert len({(row["route_id"], row["event_id"]) for row in rows}) == len(rows)
    assert {row["route_id"] for row in rows} == {by_label}
    first = rows[0]["event_id"]
    wait_until(lambda: "queue_message_delivered" in lines_about(tower, first), WAIT_S, "the lines")
    assert lines_about(tower, first) == [
        "manual_review_needed",
        "route_matched",
        "queue_message_enqueued",
        "queue_message_delivered",
    ]

    recreate_slave(layout)
    left = [row["route_id"] for row in tower.result("routes.list")["routes"]]
    assert left == [by_label], "the route that named the removed agent is gone, and no other"
    command_slave(layout)
    reported(layout)
    all_delivered(tower)

    after = by_hand.everything()
    assert after == before
    assert all(typed == b"" for typed in after["typed"])
    shown = tower.result("status")
    assert shown["routing"]["most_stalled_route"] is None
    assert (shown["queue"]["queued"], shown["queue"]["blocked"]) == (0, 0)
    assert shown["degraded"] == []
