from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.unit.cli.fake_daemon import FakeDaemon, HangUp, Refusal

AGENT = "agt_0123456789ab"
EXAMPLE = Path(__file__).parents[3] / "examples/rules/deploys.yaml"


def event(number: int, **changes) -> dict:
    return {
        "event_id": number,
        "event_type": "error",
        "agent_id": AGENT,
        "observed_at": f"2026-05-06T18:01:{number % 60:02d}.000000+00:00",
        "excerpt": f"Error: {number}",
        "debounce": {"collapsed_count": 1},
    } | changes


def agents(*labels: str) -> dict:
    rows = [
        {"agent_id": f"agt_{number:012x}", "label": label, "active": True}
        for number, label in enumerate(labels)
    ]
    return {"filter": {}, "agents": rows}


def test_a_list_in_a_pipe(cli, daemon: FakeDaemon):
    daemon.on("events.list", {"events": [event(1)], "next_cursor": None})
    arguments = ("--agent", AGENT, "--type", "error", "--type", "completed", "--since", "x")
    ended = cli("events", *arguments, "--reverse")
    assert ended.lines == [
        "OBSERVED_AT\tEVENT_TYPE\tAGENT\tLINES\tEXCERPT",
        f"2026-05-06T18:01:01.000000+00:00\terror\t{AGENT}\t1\tError: 1",
    ]
    assert daemon.params_of("events.list") == [
        {
            "target": AGENT,
            "types": ["error", "completed"],
            "since": "x",
            "reverse": True,
            "limit": 50,
        }
    ]


def test_json_ends_with_the_cursor_of_what_follows(cli, daemon: FakeDaemon):
    def page(params):
        first = 1 if "cursor" not in params else 51
        events = [event(n) for n in range(first, first + params["limit"])]
        return {"events": events, "next_cursor": f"c{first}"}

    daemon.on("events.list", page)
    records = [json.loads(line) for line in cli("events", "--limit", "60", "--json").lines]
    assert [record["event_id"] for record in records[:-1]] == list(range(1, 61))
    assert records[-1] == {"next_cursor": "c51"}
    assert [params["limit"] for params in daemon.params_of("events.list")] == [50, 10]


def test_an_agent_by_its_label(cli, daemon: FakeDaemon):
    daemon.on("list_agents", agents("m1", "s1", "s2", "s2"))
    daemon.on("events.list", {"events": [], "next_cursor": None})
    assert cli("events", "--agent", "s1").code == 0
    assert daemon.params_of("events.list")[0]["target"] == "agt_000000000001"
    assert cli("events", "--agent", "s2").code == 2
    nobody = cli("events", "--agent", "s9")
    assert (nobody.code, "code: agent_not_found" in nobody.err) == (3, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--agents", "--layout", "6b0c4c1e-52c5-4f7e-8c64-1f1b8a3d9f10"],
        ["--type", "error", "--pane", "p"],
        ["--agents", "--follow", "--reverse"],
        ["--follow", "--limit", "5"],
        ["--follow", "--cursor", "c"],
    ],
)
def test_what_does_not_go_together(cli, daemon: FakeDaemon, arguments):
    assert cli("events", *arguments).code == 2
    assert daemon.requests == []


def test_follow_goes_on_where_it_was_when_the_daemon_forgets(cli, daemon: FakeDaemon):
    opened: list[dict] = []
    asked: list[str] = []

    def follow_open(params):
        opened.append(params)
        answer = {"session_id": f"fs_{len(opened)}", "live_starting_event_id": 3}
        if len(opened) > 1:
            answer |= {"backlog_events": [event(3), event(4), event(5)]}
        return answer

    def follow_next(params):
        asked.append(params["session_id"])
        if len(asked) == 1:
            return {"events": [event(4)], "session_open": True}
        if len(asked) == 2:
            raise HangUp
        if params["session_id"] == "fs_1":
            raise Refusal("events_session_unknown", "no")
        if len(asked) > 4:
            daemon.hold()
        return {"events": [event(6)], "session_open": True}

    daemon.on("events.follow_open", follow_open)
    daemon.on("events.follow_next", follow_next)
    daemon.on("events.follow_close", {})
    process = cli.start("events", "--agents", "--follow", "--json")
    daemon.wait_for("events.follow_next", 5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert [json.loads(line)["event_id"] for line in out.splitlines()] == [4, 5, 6]
    assert "since" not in opened[0]
    assert opened[1]["since"] == "2026-05-06T18:00:04.000000+00:00"


def test_rules_are_listed_without_a_daemon(cli, home):
    ended = cli("events", "rules")
    assert ended.lines[0] == "PRIORITY\tRULE_ID\tEVENT_TYPE\tSOURCE"
    assert ended.lines[1] == "10\tswarm_member.v1\tswarm_member_reported\tbuilt in"
    assert len(ended.lines) == 12


def test_a_file_of_rules_is_tested(cli, home):
    ended = cli("events", "test-rule", str(EXAMPLE))
    assert ended.code == 0
    assert [line.split("\t")[1] for line in ended.lines[1:]] == [
        "deploy.failed.v1",
        "deploy.done.v1",
        "retry_notice.v1",
    ]
    line = "\x1b[31mError: reset (attempt 1 of 3, retrying)\x1b[0m"
    found = json.loads(cli("events", "test-rule", str(EXAMPLE), line, "--json").out)
    assert [
        (row["rule_id"], row["tested"], row["decides"], row["found"])
        for row in found["result"]["findings"]
    ] == [
        ("retry_notice.v1", True, True, "Error: reset (attempt 1 of 3, retrying)"),
        ("error.line.v1", False, False, "Error:"),
        ("activity.fallback.v1", False, False, "Error: reset (attempt 1 of 3, retrying)"),
    ]


def test_a_rule_in_force_is_tested_on_lines(cli, home):
    process = cli.start(
        "events", "test-rule", "error.line.v1", "-", "--json", stdin=subprocess.PIPE
    )
    out, _ = process.communicate("Error: sk-abcdefghijklmnopqrstuvwxyz\nä\n", timeout=30)
    findings = json.loads(out)["result"]["findings"]
    assert findings[0]["text"] == "Error: <redacted:openai-key>"
    assert (findings[0]["line"], findings[-1]["line"]) == (1, 2)


@pytest.mark.parametrize("name", ["nothing.v1", "missing.yaml"])
def test_a_rule_or_file_that_is_not_there(cli, home, name):
    ended = cli("events", "test-rule", name, "x")
    assert (ended.code, "code: validation_failed" in ended.err) == (3, True)


def test_a_file_with_a_fault_names_the_line(cli, home, tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(
        "name: bad\nrules:\n  - id: x\n    event_type: error\n    priority: 5\n    pattern: a\n"
    )
    ended = cli("events", "test-rule", str(path))
    assert ended.code == 3
    assert "bad.yaml:3:9: id: must look like" in ended.err
