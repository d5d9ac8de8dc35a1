"""``layout create``: following live, the three forms of output, the exit codes, and Ctrl-C."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Sequence
from typing import Any

import pytest

from agenttower.cli import following
from agenttower.cli.exit_codes import ExitCode
from tests.unit.cli import samples
from tests.unit.cli.fake_daemon import FakeDaemon, HangUp, Refusal

CREATE = ("layout", "create", "bench-1", "1m+2s", "--session", "work")

STARTED = samples.layout(
    "creating",
    [samples.pane("m1", pane_create=samples.stage("running")), samples.pane("s1")],
    revision=3,
)
HALF = samples.layout(
    "creating",
    [
        samples.pane(
            "m1",
            pane_create=samples.stage("done", 12),
            launch_command=samples.stage("pending", attempts=1),
        ),
        samples.pane("s1", pane_create=samples.stage("done", 7)),
    ],
    revision=5,
)
READY = samples.layout("ready", [samples.done("m1"), samples.done("s1")], revision=9)


def script(daemon: FakeDaemon, *layouts: dict[str, Any]) -> None:
    """The daemon accepts, then shows these layouts one after the other."""
    daemon.on("managed.layout.create", samples.accepted())
    daemon.on("list_agents", {"filter": {}, "agents": [samples.agent()]})
    daemon.on("list_containers", {"filter": "all", "containers": [samples.container()]})

    def watch(params: dict[str, Any]) -> object:
        for layout in layouts:
            if layout["revision"] > params["after_revision"]:
                return {"layout": layout}
        daemon.hold()
        return None

    daemon.on("managed.layout.watch", watch)


def test_plain_lines_one_for_each_change(cli, daemon: FakeDaemon):
    script(daemon, STARTED, HALF, READY)
    ended = cli(*CREATE)
    assert (ended.code, ended.err) == (ExitCode.OK, "")
    timeless = [re.sub(r"(layout \S+ ready) \d+$", r"\1 MS", line) for line in ended.lines]
    assert timeless == [
        f"layout {samples.LAYOUT} creating",
        "pane m1 pane_create running -",
        "pane m1 pane_create done 12",
        "pane m1 launch_command pending -",
        "pane s1 pane_create done 7",
        "pane m1 launch_command done 11",
        "pane m1 registration done 12",
        "pane m1 log_attach done 13",
        "pane s1 launch_command done 11",
        "pane s1 registration done 12",
        "pane s1 log_attach done 13",
        "result m1 master ready agt_m1 %0 - -",
        "result s1 slave ready agt_s1 %0 - -",
        f"layout {samples.LAYOUT} ready MS",
        "attach docker exec -it -u bench bench-1 tmux attach -t work",
    ]


def test_what_is_asked(cli, daemon: FakeDaemon):
    script(daemon, READY)
    cli(
        *CREATE,
        *("--launch", "slave:s1=codex", "--launch", "master:m1=a=b"),
        *("--label-prefix", "b-", "--idempotency-key", "k1"),
    )
    assert daemon.params_of("managed.layout.create") == [
        {
            "container_id": "bench-1",
            "template_name": "1m+2s",
            "tmux_session_name": "work",
            "launch_command_overrides": {"slave:s1": "codex", "master:m1": "a=b"},
            "label_prefix": "b-",
            "idempotency_key": "k1",
        }
    ]
    assert daemon.params_of("managed.layout.watch") == [
        {"layout_id": samples.LAYOUT, "after_revision": 0, "wait_seconds": 25.0}
    ]


@pytest.mark.parametrize(("state", "code"), [("ready", 0), ("degraded", 5), ("failed", 4)])
def test_exit_codes_follow_the_layout(cli, daemon: FakeDaemon, state, code):
    broken = samples.pane(
        "m1", state, failed_stage="launch_command", failure_reason="ended at once", exit_code=3
    )
    script(daemon, samples.layout(state, [broken]))
    ended = cli(*CREATE)
    assert ended.code == code
    assert ended.lines[-2:] == [
        f"result m1 master {state} - %0 3 launch_command: ended at once",
        ended.lines[-1],
    ]
    assert ended.lines[-1].startswith(f"layout {samples.LAYOUT} {state} ")


def test_json_is_the_final_detail_alone(cli, daemon: FakeDaemon):
    script(daemon, STARTED, HALF, READY)
    ended = cli(*CREATE, "--json")
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out) == {"ok": True, "result": READY}
    assert len(ended.lines) == 1


def test_detach_returns_at_once(cli, daemon: FakeDaemon):
    daemon.on("managed.layout.create", samples.accepted(replay=True))
    assert f"layout_id={samples.LAYOUT}" in cli(*CREATE, "--detach").lines
    assert json.loads(cli(*CREATE, "--detach", "--json").out)["result"] == samples.accepted(
        replay=True
    )
    assert f"layout show {samples.LAYOUT}" in cli.on_terminal(*CREATE, "--detach").out
    assert not daemon.params_of("managed.layout.watch")


def test_a_refusal_has_no_effect_beyond_its_message(cli, daemon: FakeDaemon):
    def refuse(_params):
        raise Refusal("managed_session_name_conflict", "a session named 'work' exists")

    daemon.on("managed.layout.create", refuse)
    ended = cli(*CREATE)
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.endswith("code: managed_session_name_conflict\n")


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["plain", "json"])
def test_ctrl_c_detaches_and_says_how_to_look(cli, daemon: FakeDaemon, form: Sequence[str]):
    script(daemon, STARTED)
    process = cli.start(*CREATE, *form)
    daemon.wait_for("managed.layout.watch", 2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED == 130
    words = f"look with 'agenttower layout show {samples.LAYOUT}'"
    if form:
        assert err == ""
        error = json.loads(out)["error"]
        assert (error["code"], error["details"]) == ("interrupted", {"layout_id": samples.LAYOUT})
        assert words in error["message"]
    else:
        assert words in err
        assert "its creation goes on" in err
    asked = {method for method, _ in daemon.requests}
    assert asked == {"managed.layout.create", "managed.layout.watch"}, "nothing was cancelled"


def test_ctrl_c_before_the_answer_says_that_the_outcome_is_unknown(cli, daemon: FakeDaemon):
    daemon.on("managed.layout.create", lambda _params: daemon.hold())
    process = cli.start(*CREATE)
    daemon.wait_for("managed.layout.create")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert "may have been accepted" in err
    assert "agenttower layout list" in err


def test_losing_the_daemon_before_the_answer_says_the_same(cli, daemon: FakeDaemon):
    def hang_up(_params):
        raise HangUp

    daemon.on("managed.layout.create", hang_up)
    ended = cli(*CREATE)
    assert ended.code == ExitCode.UNREACHABLE
    assert "may have been accepted" in ended.err
    daemon.stop()
    ended = cli("--socket", str(daemon.path), *CREATE)
    assert ended.code == ExitCode.UNREACHABLE
    assert "may have been accepted" not in ended.err, "nobody was there to accept it"


def test_timeout_stops_following_with_a_code_of_its_own(cli, daemon: FakeDaemon):
    script(daemon, STARTED)
    daemon.on("managed.layout.watch", lambda _params: {"layout": STARTED})
    ended = cli(*CREATE, "--timeout", "0.3")
    assert ended.code == ExitCode.TIMED_OUT == 7
    assert "its creation goes on" in ended.err
    assert all(params["wait_seconds"] <= 0.3 for params in daemon.params_of("managed.layout.watch"))


def test_a_restarted_daemon_is_waited_for(cli, daemon: FakeDaemon, monkeypatch):
    script(daemon, STARTED, READY)
    answer = daemon.answers["managed.layout.watch"]
    restarts = []

    def watch(params: dict[str, Any]) -> object:
        if params["after_revision"] == STARTED["revision"] and not restarts:
            daemon.stop()
            raise HangUp
        return answer(params)

    def come_back(_seconds: float) -> None:
        restarts.append(True)
        daemon.start()

    daemon.on("managed.layout.watch", watch)
    # The client pauses when it has found nobody; only then the daemon is back.
    monkeypatch.setattr(following.time, "sleep", come_back)
    assert cli(*CREATE).code == 0
    assert restarts == [True]


def test_a_daemon_that_stays_away_ends_the_following(cli, daemon: FakeDaemon, monkeypatch):
    script(daemon, STARTED)

    def vanish(_params):
        daemon.stop()
        raise HangUp

    daemon.on("managed.layout.watch", vanish)
    monkeypatch.setattr(following, "PATIENCE_SECONDS", 0.3)
    ended = cli(*CREATE)
    assert ended.code == ExitCode.UNREACHABLE
    assert "creation goes on once a worker runs" in ended.err
    assert f"agenttower layout show {samples.LAYOUT}" in ended.err


def test_a_terminal_shows_it_live_and_ends_with_a_table(cli, daemon: FakeDaemon):
    script(daemon, STARTED, HALF, READY)
    shown = cli.on_terminal("--no-color", *CREATE)
    assert shown.code == 0
    assert "\x1b[?25l" in shown.out, "drawn in place"
    assert "✓ 12 ms" in shown.out
    last = shown.out[shown.out.rindex("EXIT_CODE") :]
    assert "agt_s1" in last
    assert re.search(rf"Layout {samples.LAYOUT} is ready after \d+\.\d\d s\.", last)
    assert "Attach with: docker exec -it -u bench bench-1 tmux attach -t work" in last


def test_hostile_labels_are_harmless_on_a_terminal(cli, daemon: FakeDaemon):
    evil = "\x1b]0;owned\x07[red]m1"
    pane = {**samples.done("m1"), "label": evil, "failure_reason": "\x9b2J"}
    script(daemon, samples.layout("ready", [pane]))
    shown = cli.on_terminal("--no-color", *CREATE).out
    assert "\\x1b]0;owned\\x07[red]m1" in shown
    assert "owned\x07" not in shown
    assert "\x9b" not in shown
    assert evil not in cli(*CREATE).out


@pytest.mark.parametrize(
    ("container", "socket", "command"),
    [
        ({}, "/tmp/tmux-1000/default", "docker exec -it -u bench bench-1 tmux attach -t work"),
        (
            {"config_user": None},
            "/tmp/tmux-1000/default",
            "docker exec -it -u 1000 bench-1 tmux attach -t work",
        ),
        (
            {"config_user": None},
            "/tmp/tmux-0/default",
            "docker exec -it bench-1 tmux attach -t work",
        ),
        (
            {},
            "/tmp/my socket",
            "docker exec -it -u bench bench-1 tmux -S '/tmp/my socket' attach -t work",
        ),
        (
            {"provider": "local", "name": "local"},
            "/state/local-tmux.sock",
            "tmux -S /state/local-tmux.sock attach -t work",
        ),
    ],
)
def test_attach_hint(cli, daemon: FakeDaemon, container, socket, command):
    script(daemon, READY)
    agent = samples.agent(tmux_socket_path=socket)
    daemon.on("list_agents", {"filter": {}, "agents": [agent]})
    daemon.on("list_containers", {"containers": [samples.container(**container)]})
    assert cli(*CREATE).lines[-1] == f"attach {command}"


def test_no_attach_hint_without_agents(cli, daemon: FakeDaemon):
    script(daemon, samples.layout("failed", [samples.pane("m1", "failed")]))
    assert not any(line.startswith("attach") for line in cli(*CREATE).lines)
