from __future__ import annotations

import json
import signal

from tests.unit.cli import samples
from tests.unit.cli.fake_daemon import FakeDaemon, HangUp


def test_events_in_a_pipe(cli, daemon: FakeDaemon):
    daemon.on("managed.event.list", {"events": [samples.event(1), samples.event(2)], "next": 2})
    daemon.on("list_containers", {"filter": "all", "containers": [samples.container()]})
    ended = cli(
        "events", "--layout", samples.LAYOUT, "--pane", samples.PANE, "--container", "bench-1"
    )
    assert ended.lines[:2] == [
        "TIMESTAMP\tEVENT_TYPE\tACTOR\tCONTAINER\tLAYOUT_ID\tPANE_ID\tSEQUENCE\tPAYLOAD",
        f"{samples.START}\tmanaged_pane_created\tdaemon\t{samples.CONTAINER}\t{samples.LAYOUT}\t"
        'pane-m1\t1\t{"label":"m1"}',
    ]
    assert daemon.params_of("managed.event.list") == [
        {
            "container_id": samples.CONTAINER,
            "layout_id": samples.LAYOUT,
            "pane_id": samples.PANE,
            "after": 0,
            "limit": 200,
        }
    ]


def test_all_pages_are_shown(cli, daemon: FakeDaemon):
    def page(params):
        numbers = range(params["after"] + 1, min(params["after"] + 201, 301))
        events = [samples.event(number) for number in numbers]
        return {"events": events, "next": events[-1]["event_id"] if events else params["after"]}

    daemon.on("managed.event.list", page)
    records = [json.loads(line) for line in cli("events", "--json").lines]
    assert [record["event_id"] for record in records] == list(range(1, 301))
    assert len(daemon.requests) == 2


def test_follow_goes_on_over_a_restart_until_ctrl_c(cli, daemon: FakeDaemon):
    def page(params):
        if params["after"] == 2:
            daemon.hold()
        if params["after"] == 1 and len(daemon.requests) == 2:
            raise HangUp
        return {"events": [samples.event(params["after"] + 1)], "next": params["after"] + 1}

    daemon.on("managed.event.list", page)
    process = cli.start("events", "--follow", "--json")
    daemon.wait_for("managed.event.list", 4)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")
    assert [json.loads(line)["event_id"] for line in out.splitlines()] == [1, 2]
    assert [params["after"] for _, params in daemon.requests] == [0, 1, 1, 2]
    assert daemon.requests[0][1]["wait_seconds"] == 25.0


def test_events_on_a_terminal_are_a_table(cli, daemon: FakeDaemon):
    daemon.on("managed.event.list", {"events": [samples.event(1)], "next": 1})
    daemon.on("list_containers", {"containers": [samples.container()]})
    shown = cli.on_terminal("--no-color", "events").out.splitlines()
    assert "  bench-1  " in shown[1]
    assert shown[1].index("managed_pane_created") == shown[0].index("EVENT_TYPE")
