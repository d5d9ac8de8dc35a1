"""From a program's output in a real bench to an event that a follower is told, across kills."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import Any

from tests.integration.test_remove import ready_layout
from tests.support.docker import BenchFactory
from tests.support.layouts import bench_with_logs, log_of, write_profile, write_template
from tests.support.tower import Tower
from tests.support.waiting import wait_until

PROGRAM = r"""
n=0
printf 'working on it\nOPENAI=sk-abcdefghijklmnopqrstuvwxyz\n'
while :; do
  [ -e /tmp/go.$n ] && { printf 'Error: \033[31mnumber %s\033[0m\n' $n; n=$((n+1)); }
  [ -e /tmp/end ] && { echo 'Exception: the last word'; exit 3; }
  sleep 0.02
done
"""


def follow(tower: Tower, session: str) -> list[dict[str, Any]]:
    params = {"session_id": session, "max_wait_seconds": 10}
    events: list[dict[str, Any]] = tower.result("events.follow_next", params)["events"]
    return events


def reader_says(tower: Tower) -> dict[str, Any]:
    with closing(sqlite3.connect(tower.home.paths.database, timeout=10)) as database:
        row = database.execute(
            "SELECT document FROM subsystem WHERE name = 'events_reader'"
        ).fetchone()
    return json.loads(row[0]) if row else {}


def test_output_becomes_events_across_kills(tower: Tower, bench_factory: BenchFactory) -> None:
    bench = bench_with_logs(tower, bench_factory)
    write_profile(tower, "printer", ["/bin/sh", "-c", PROGRAM])
    write_template(tower, "one", [{"default_launch_command_ref": "printer"}])
    session = tower.result("events.follow_open", {"types": ["error"]})["session_id"]
    [pane] = ready_layout(tower, bench, template="one")["panes"]
    agent_id = pane["agent_id"]

    def go(number: int) -> None:
        assert bench.exec_run(["touch", f"/tmp/go.{number}"]).exit_code == 0

    go(0)
    [event] = follow(tower, session)
    assert (event["excerpt"], event["agent_id"]) == ("Error: number 0", agent_id)
    assert event["log_path"] == str(log_of(tower, pane))

    tower.environ["AGENTTOWER_EVENTS_PANE_EXITED_GRACE_SECONDS"] = "1"
    tower.kill9("worker")
    go(1)
    go(2)
    tower.start("worker")
    assert [event["excerpt"] for event in follow(tower, session)] == [
        "Error: number 1",
        "Error: number 2",
    ]

    # The window of what was printed first closes by itself, redacted and once.
    def activity() -> list[dict[str, Any]]:
        page = tower.result("events.list", {"target": agent_id, "types": ["activity"]})
        return list(page["events"])

    [window] = wait_until(activity, 15, "the window to close")
    assert window["debounce"]["collapsed_count"] >= 2
    assert window["excerpt"] == "OPENAI=<redacted:openai-key>"

    # A log that is deleted is piped into a new one, which is read from its beginning.
    log_of(tower, pane).unlink()
    wait_until(lambda: reader_says(tower)["attachments_in_failure"], 15, "the loss to be seen")
    tower.stop("worker")
    tower.start("worker")
    wait_until(lambda: log_of(tower, pane).exists(), 40, "the log to be back")
    go(3)
    [event] = follow(tower, session)
    assert (event["excerpt"], event["byte_range_start"]) == ("Error: number 3", 0)

    # A program that ends is told with its last words, and then as an exit, once.
    bench.exec_run(["touch", "/tmp/end"])
    assert [event["excerpt"] for event in follow(tower, session)] == ["Exception: the last word"]

    def exits() -> list[dict[str, Any]]:
        page = tower.result("events.list", {"target": agent_id, "types": ["pane_exited"]})
        return list(page["events"])

    tower.stop("worker")
    tower.start("worker")  # its first look at the container finds the exit
    wait_until(exits, 20, "the exit to be told")

    shown = subprocess.run(
        [sys.executable, "-m", "agenttower.cli.main", "events", "--agent", pane["label"]],
        env=tower.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert [line.split("\t")[-1] for line in shown.splitlines() if "\terror\t" in line] == [
        *(f"Error: number {number}" for number in range(4)),
        "Exception: the last word",
    ]
    lines = [json.loads(line) for line in tower.home.paths.events_file.read_text().splitlines()]
    told = [line for line in lines if line.get("agent_id") == agent_id]
    assert [line["excerpt"] for line in told if line["event_type"] == "error"] == [
        *(f"Error: number {number}" for number in range(4)),
        "Exception: the last word",
    ]
    assert len(exits()) == 1
    assert all(next(iter(line)) == "ts" for line in told)
