"""Lists and single objects: documented columns, paging, filters, JSON, and hostile names."""

from __future__ import annotations

import json

import pytest

from tests.unit.cli import samples
from tests.unit.cli.fake_daemon import FakeDaemon

EVIL = "\x1b]0;owned\x07bench\x9b31m\n\u202etxt"
EVIL_SHOWN = "\\x1b]0;owned\\x07bench\\x9b31m\\n\\u202etxt"


def row(**more: object) -> dict[str, object]:
    return {
        "layout_id": samples.LAYOUT,
        "container_id": samples.CONTAINER,
        "template_name": "1m+2s",
        "state": "ready",
        "intended_pane_count": 3,
        "ready_pane_count": 3,
        "created_at": samples.START,
        "origin": "managed",
        **more,
    }


def test_container_list(cli, daemon: FakeDaemon):
    daemon.on("list_containers", {"filter": "all", "containers": [samples.container()]})
    assert cli("container", "list", "--active-only").lines == [
        "ACTIVE\tID\tNAME\tIMAGE\tSTATUS\tLAST_SCANNED",
        f"true\t{samples.CONTAINER}\tbench-1\tbench:bookworm\trunning\t{samples.START}",
    ]
    assert daemon.params_of("list_containers") == [{"active_only": True}]
    assert (
        json.loads(cli("container", "list", "--json").out)["result"]["containers"][0]["name"]
        == "bench-1"
    )


def test_agent_list(cli, daemon: FakeDaemon):
    daemon.on("list_agents", {"filter": {}, "agents": [samples.agent()]})
    daemon.on("list_containers", {"filter": "all", "containers": [samples.container()]})
    ended = cli("agent", "list", "--role", "master", "--container", "bench-1", "--active-only")
    assert ended.lines == [
        "AGENT_ID\tLABEL\tROLE\tCAPABILITY\tCONTAINER\tPANE\tPROJECT\tPARENT\tACTIVE\tORIGIN"
        "\tATTENTION",
        f"agt_m1\tm1\tmaster\torchestrator\t{samples.CONTAINER[:12]}\twork:0.2\t\t-\ttrue\tmanaged"
        "\t-",
    ]
    assert daemon.params_of("list_agents") == [
        {"role": ["master"], "container_id": samples.CONTAINER, "active_only": True}
    ]


def test_layout_list_follows_all_pages(cli, daemon: FakeDaemon):
    pages = {
        None: {"items": [row(layout_id="a"), row(layout_id="b")], "next": "cursor-1"},
        "cursor-1": {"items": [row(layout_id="c")], "next": None},
    }
    daemon.on("managed.layout.list", lambda params: pages[params.get("after")])
    ended = cli("layout", "list", "--state", "ready", "--state", "failed")
    header = "LAYOUT_ID CONTAINER TEMPLATE SESSION STATE READY PANES CREATED ATTENTION"
    assert ended.lines[0].split("\t") == header.split()
    assert [line.split("\t")[0] for line in ended.lines[1:]] == ["a", "b", "c"]
    assert daemon.params_of("managed.layout.list") == [
        {"state": ["ready", "failed"], "limit": 200},
        {"state": ["ready", "failed"], "limit": 200, "after": "cursor-1"},
    ]


def test_limit_stops_paging_and_json_tells_where(cli, daemon: FakeDaemon):
    daemon.on(
        "managed.layout.list",
        lambda params: {"items": [row()] * min(150, params["limit"]), "next": "more"},
    )
    document = json.loads(cli("layout", "list", "--limit", "170", "--json").out)["result"]
    assert (len(document["items"]), document["next"]) == (170, "more")
    assert [params["limit"] for params in daemon.params_of("managed.layout.list")] == [170, 20]


def test_an_empty_list_is_the_header_alone_in_a_pipe(cli, daemon: FakeDaemon):
    daemon.on("managed.pane.list", {"items": [], "next": None})
    assert cli("pane", "list").out.count("\n") == 1
    assert json.loads(cli("pane", "list", "--json").out)["result"] == {"items": [], "next": None}
    daemon.on("list_containers", {"containers": []})
    assert cli.on_terminal("pane", "list").out == "No panes.\n"


@pytest.mark.parametrize("wanted", [samples.CONTAINER, samples.CONTAINER[:12]])
def test_container_ids_are_passed_as_they_are(cli, daemon: FakeDaemon, wanted):
    daemon.on("managed.layout.list", {"items": [], "next": None})
    cli("layout", "list", "--container", wanted)
    assert daemon.params_of("managed.layout.list") == [{"container_id": wanted, "limit": 200}]


def test_an_unknown_container_name_is_refused(cli, daemon: FakeDaemon):
    daemon.on("list_containers", {"filter": "all", "containers": [samples.container()]})
    ended = cli("pane", "list", "--container", "bench-9")
    assert ended.code == 3
    assert "no bench container 'bench-9' is known" in ended.err
    assert ended.err.splitlines()[-1] == "code: container_not_found"


def test_layout_show(cli, daemon: FakeDaemon):
    failed = samples.pane(
        "s1", "failed", failed_stage="registration", failure_reason="no room", exit_code=None
    )
    detail = samples.layout("failed", [samples.done("m1"), failed])
    daemon.on("managed.layout.detail", {**detail, "failed_stage": "registration"})
    lines = cli("layout", "show", samples.LAYOUT, "--all").lines
    assert daemon.requests[0][1] == {"layout_id": samples.LAYOUT, "include_terminal_panes": True}
    assert "state=failed" in lines
    assert lines[lines.index("") + 1 :] == [
        "PANE\tLABEL\tROLE\tSTATE\tAGENT_ID\tTMUX_PANE\tEXIT_CODE\tREASON\tATTENTION",
        "pane-m1\tm1\tmaster\tready\tagt_m1\t%0\t-\t-\t-",
        "pane-s1\ts1\tslave\tfailed\t-\t%0\t-\tregistration: no room\t-",
    ]
    assert (
        json.loads(cli("layout", "show", samples.LAYOUT, "--json").out)["result"]["state"]
        == "failed"
    )


def test_layout_show_ends_with_what_panes_ask(cli, daemon: FakeDaemon):
    asks = {"kind": "confirm", "text": "Remove\x1b it? [y/N]", "rule_id": "screen.yes_no.v1"}
    detail = samples.layout("ready", [samples.done("m1", attention=asks), samples.done("s1")])
    daemon.on("managed.layout.detail", detail)
    lines = cli("layout", "show", samples.LAYOUT).lines
    assert [line.split("\t")[-1] for line in lines[-3:]] == ["ATTENTION", "confirm", "-"]
    shown = cli.on_terminal("--no-color", "layout", "show", samples.LAYOUT).out.splitlines()
    assert shown[-1] == "m1 waits for you (confirm): Remove\\x1b it? [y/N]"


def test_pane_show_flattens_stages_and_chain(cli, daemon: FakeDaemon):
    chain = [{"pane_id": "p0", "state": "failed", "chain_depth": 0, "predecessor_id": None}]
    daemon.on("managed.pane.detail", {**samples.done("m1"), "predecessor_chain": chain})
    lines = cli("pane", "show", samples.PANE, "--chain").lines
    assert daemon.requests[0][1] == {"pane_id": samples.PANE, "include_predecessor_chain": True}
    assert {
        "label=m1",
        "agent_id=agt_m1",
        "exit_code=-",
        "log_attached=true",
        "stages.registration.status=done",
        "predecessor_chain.0.state=failed",
    } <= set(lines)


def test_status(cli, daemon: FakeDaemon):
    daemon.on(
        "status",
        {"alive": True, "pid": 7, "start_time_utc": samples.START, "worker": {"alive": False}},
    )
    assert cli("status").lines == [
        "alive=true",
        "pid=7",
        f"start_time={samples.START}",
        "worker.alive=false",
    ]
    assert json.loads(cli("status", "--json").out)["result"]["start_time_utc"] == samples.START


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("degraded", 5)])
def test_scan(cli, daemon: FakeDaemon, status, code):
    answer = {
        "scan_id": "x",
        "started_at": samples.START,
        "completed_at": "2026-05-06T18:01:34.250000+00:00",
        "status": status,
        "matched_count": 2,
    }
    daemon.on("scan_containers", answer)
    ended = cli("scan", "--containers")
    assert ended.code == code
    assert {"matched_count=2", f"status={status}", "duration_ms=250"} <= set(ended.lines)
    ended = cli("scan", "--json")
    assert (ended.code, json.loads(ended.out)["result"]) == (code, answer)


def test_hostile_names_never_reach_the_terminal(cli, daemon: FakeDaemon):
    daemon.on("list_containers", {"filter": "all", "containers": [samples.container(EVIL)]})
    assert cli("container", "list").lines[1].split("\t")[2] == EVIL_SHOWN
    shown = cli.on_terminal("--no-color", "container", "list").out
    assert EVIL_SHOWN in shown
    assert "\x1b" not in shown
    assert "\x9b" not in shown
    in_json = cli("container", "list", "--json").out
    assert in_json.isascii()
    assert "\x1b" not in in_json
    assert json.loads(in_json)["result"]["containers"][0]["name"] == EVIL


def test_a_terminal_gets_an_aligned_table_in_colours(cli, daemon: FakeDaemon):
    daemon.on("managed.layout.list", {"items": [row(), row(state="failed")], "next": None})
    daemon.on("list_containers", {"containers": []})
    shown = cli.on_terminal("--no-color", "layout", "list").out.splitlines()
    column = shown[0].index("STATE")
    assert [line[column:].split()[0] for line in shown] == ["STATE", "ready", "failed"]
    assert "abababababab  " in shown[1], "container ids are short for people"
    daemon.on("list_containers", {"containers": [samples.container(EVIL)]})
    assert f"{EVIL_SHOWN}  " in cli.on_terminal("--no-color", "layout", "list").out
    assert "\x1b[31mfailed" in cli.on_terminal("layout", "list").out


def test_no_color_and_dumb_terminals_get_no_colours(cli, daemon: FakeDaemon, monkeypatch):
    daemon.on("managed.layout.list", {"items": [row()], "next": None})
    daemon.on("list_containers", {"containers": []})
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            assert "\x1b" not in cli.on_terminal("layout", "list").out
            assert "\x1b[32mready" in cli.on_terminal("--color", "layout", "list").out


def test_json_on_a_terminal_is_indented_and_has_no_colours(cli, daemon: FakeDaemon):
    daemon.on("managed.layout.list", {"items": [row()], "next": None})
    shown = cli.on_terminal("layout", "list", "--json").out
    assert shown.startswith('{\n  "ok": true,\n  "result": {\n    "items": [\n')
    assert json.loads(shown)["result"]["items"][0]["state"] == "ready"
