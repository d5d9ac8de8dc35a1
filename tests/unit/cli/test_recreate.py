"""``pane recreate``: the successor is followed, and nothing but the successor."""

from __future__ import annotations

import json
import re
import signal
from typing import Any

import pytest

from agenttower.cli.exit_codes import ExitCode
from tests.unit.cli import samples
from tests.unit.cli.fake_daemon import FakeDaemon, HangUp, Refusal

RECREATE = ("pane", "recreate", samples.PANE)
SUCCESSOR = "aaaa1111-0000-4000-8000-000000000001"
SAME = {"pane_id": SUCCESSOR, "predecessor_id": samples.PANE, "chain_depth": 1}
ACCEPTED = {**SAME, "state": "creating", "replay": False}

MAKING = samples.pane("s1", pane_create=samples.stage("running"), **SAME)
MADE = samples.done("s1", **SAME)
NEIGHBOUR = samples.pane("s2", pane_create=samples.stage("running"))


def script(daemon: FakeDaemon, *layouts: dict[str, Any]) -> None:
    """The daemon accepts, then shows these layouts one after the other."""
    daemon.on("managed.pane.recreate", ACCEPTED)
    daemon.on("managed.pane.detail", MAKING)
    daemon.on("list_agents", {"filter": {}, "agents": [samples.agent("s1")]})
    daemon.on("list_containers", {"filter": "all", "containers": [samples.container()]})

    def watch(params: dict[str, Any]) -> object:
        for layout in layouts:
            if layout["revision"] > params["after_revision"]:
                return {"layout": layout}
        daemon.hold()
        return None

    daemon.on("managed.layout.watch", watch)


def test_the_successor_is_followed_although_a_neighbour_is_still_made(cli, daemon: FakeDaemon):
    script(
        daemon,
        samples.layout("creating", [samples.done("m1"), MAKING, NEIGHBOUR], revision=3),
        samples.layout("creating", [samples.done("m1"), MADE, NEIGHBOUR], revision=4),
    )
    ended = cli(*RECREATE)
    assert (ended.code, ended.err) == (ExitCode.OK, "")
    assert [re.sub(r" ready \d+$", " ready MS", line) for line in ended.lines] == [
        f"successor {SUCCESSOR} creating",
        "pane s1 pane_create running -",
        "pane s1 pane_create done 10",
        "pane s1 launch_command done 11",
        "pane s1 registration done 12",
        "pane s1 log_attach done 13",
        "result s1 slave ready agt_s1 %0 - -",
        f"successor {SUCCESSOR} ready MS",
        "attach docker exec -it -u bench bench-1 tmux attach -t work",
    ]


def test_what_is_asked(cli, daemon: FakeDaemon):
    script(daemon, samples.layout("ready", [MADE]))
    cli(*RECREATE, "--launch", "codex", "--idempotency-key", "k1")
    assert daemon.params_of("managed.pane.recreate") == [
        {
            "predecessor_pane_id": samples.PANE,
            "launch_command_override": "codex",
            "idempotency_key": "k1",
        }
    ]
    assert daemon.params_of("managed.layout.watch")[0]["layout_id"] == samples.LAYOUT


@pytest.mark.parametrize(("state", "code"), [("ready", 0), ("degraded", 5), ("failed", 4)])
def test_exit_codes_follow_the_successor_and_not_its_layout(cli, daemon: FakeDaemon, state, code):
    pane = samples.pane("s1", state, failed_stage="log_attach", failure_reason="no", **SAME)
    script(daemon, samples.layout("failed", [samples.pane("m1", "failed"), pane]))
    ended = cli(*RECREATE, "--json")
    assert ended.code == code
    assert json.loads(ended.out) == {"ok": True, "result": pane}
    assert cli(*RECREATE).lines[-2] == f"result s1 slave {state} - %0 - log_attach: no"


def test_a_successor_that_is_gone_again_is_looked_up(cli, daemon: FakeDaemon):
    script(daemon, samples.layout("ready", [samples.done("m1")]))
    gone = samples.pane("s1", "removed", **SAME)
    daemon.on("managed.pane.detail", gone)
    ended = cli(*RECREATE, "--json")
    assert (ended.code, json.loads(ended.out)["result"]) == (0, gone)


def test_detach_returns_at_once(cli, daemon: FakeDaemon):
    daemon.on("managed.pane.recreate", {**ACCEPTED, "replay": True})
    assert {f"pane_id={SUCCESSOR}", "replay=true"} <= set(cli(*RECREATE, "--detach").lines)
    answer = json.loads(cli(*RECREATE, "--detach", "--json").out)["result"]
    assert answer == {**ACCEPTED, "replay": True}
    assert f"pane show {SUCCESSOR}" in cli.on_terminal(*RECREATE, "--detach").out
    assert {method for method, _ in daemon.requests} == {"managed.pane.recreate"}


def test_a_refusal(cli, daemon: FakeDaemon):
    def refuse(_params):
        raise Refusal("managed_pane_illegal_recreate_source", "pane is ready")

    daemon.on("managed.pane.recreate", refuse)
    ended = cli(*RECREATE)
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.endswith("code: managed_pane_illegal_recreate_source\n")


def test_ctrl_c_detaches_and_says_how_to_look(cli, daemon: FakeDaemon):
    script(daemon, samples.layout("creating", [MAKING]))
    process = cli.start(*RECREATE, "--json")
    daemon.wait_for("managed.layout.watch", 2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (ExitCode.INTERRUPTED, "")
    error = json.loads(out)["error"]
    assert error["details"] == {"pane_id": SUCCESSOR}
    assert f"look with 'agenttower pane show {SUCCESSOR}'" in error["message"]


def test_a_daemon_that_vanishes_says_what_was_accepted(cli, daemon: FakeDaemon):
    def hang_up(_params):
        raise HangUp

    daemon.on("managed.pane.recreate", ACCEPTED)
    daemon.on("managed.pane.detail", hang_up)
    ended = cli(*RECREATE)
    assert ended.code == ExitCode.UNREACHABLE
    assert f"after it had accepted successor {SUCCESSOR}" in ended.err
    daemon.on("managed.pane.recreate", hang_up)
    assert "may have been accepted or not" in cli(*RECREATE).err


def test_a_terminal_shows_it_live_and_ends_with_a_table(cli, daemon: FakeDaemon):
    script(
        daemon,
        samples.layout("creating", [MAKING, NEIGHBOUR], revision=3),
        samples.layout("creating", [MADE, NEIGHBOUR], revision=4),
    )
    shown = cli.on_terminal("--no-color", *RECREATE)
    assert shown.code == 0
    assert "✓ 10 ms" in shown.out
    assert "s2" not in shown.out
    last = shown.out[shown.out.rindex("EXIT_CODE") :]
    assert re.search(rf"Pane {SUCCESSOR}, in place of {samples.PANE}, is ready after", last)
    assert "Attach with: docker exec" in last
