"""The program for benches: what it prints and how it ends, as the full command does."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agenttower import __version__
from agenttower.cli import text
from agenttower.cli.exit_codes import ExitCode
from agenttower.client.program import exit_codes, output
from agenttower.client.program.main import main
from tests.support.state_home import StateHome
from tests.unit.cli import samples
from tests.unit.cli.conftest import Ended, daemon, home  # noqa: F401 - fixtures
from tests.unit.cli.fake_daemon import FakeDaemon, Refusal

Fixture = pytest.CaptureFixture[str]


@pytest.fixture
def run(home: StateHome, capsys: Fixture) -> Any:  # noqa: F811
    def program(*words: str) -> Ended:
        capsys.readouterr()
        code = main(words)
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return program


def test_exit_codes_are_those_of_the_full_command() -> None:
    names = {
        "OK": "OK", "INTERNAL": "INTERNAL", "USAGE": "USAGE", "REFUSED": "REFUSED",
        "FAILED": "LAYOUT_FAILED", "DEGRADED": "DEGRADED", "UNREACHABLE": "UNREACHABLE",
        "TIMED_OUT": "TIMED_OUT", "INTERRUPTED": "INTERRUPTED", "OUTPUT_CLOSED": "OUTPUT_CLOSED",
    }  # fmt: skip
    for ours, theirs in names.items():
        assert getattr(exit_codes, ours) == ExitCode[theirs].value
    assert exit_codes.of_state("ready") == 0
    assert exit_codes.of_prompts([{"state": "queued"}, {"state": "failed"}]) == 4


def test_version_and_help(run: Any) -> None:
    assert run("--version").out == f"agenttower {__version__}\n"
    for words in ([], ["layout"], ["layout", "create"], ["register-self"], ["call"], ["doctor"]):
        ended = run(*words, "--help")
        assert ended.code == 0
        assert ended.out.startswith("usage: agenttower")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["lay"], "invalid choice"),
        ([], "COMMAND"),
        (["layout", "create", "t"], "--session"),
        (["call", "ping", "[]"], "JSON object"),
        (["layout", "create", "t", "--session", "s", "--launch", "x"], "ROLE:LABEL=PROFILE"),
    ],
)
def test_wrong_command_lines(run: Any, daemon: FakeDaemon, words: list[str], says: str) -> None:  # noqa: F811
    daemon.on("list_containers", {"containers": [], "caller_container_id": "c" * 64})
    ended = run(*words)
    assert (ended.code, ended.out) == (2, "")
    assert says in ended.err
    assert ended.err.endswith("code: usage\n")
    ended = run(*words, "--json") if words else run("--json")
    assert (ended.code, ended.err) == (2, "")
    assert json.loads(ended.out)["error"]["code"] == "usage"


def test_no_daemon(run: Any) -> None:
    ended = run("status")
    assert ended.code == ExitCode.UNREACHABLE
    assert ended.err.splitlines()[1] == "code: daemon_unavailable"
    ended = run("ls", "--json")
    assert (json.loads(ended.out)["ok"], ended.err) == (False, "")


def test_refusals(run: Any, daemon: FakeDaemon) -> None:  # noqa: F811
    def refuse(_: Any) -> object:
        raise Refusal("host_only", "only from the host\x1b[2J", x=1)

    daemon.on("managed.layout.list", refuse)
    ended = run("ls")
    assert (ended.code, ended.err) == (3, "error: only from the host\\x1b[2J\ncode: host_only\n")
    assert json.loads(run("ls", "--json").out)["error"]["details"] == {"x": 1}


def test_a_wrong_override_is_told_before_anything(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTTOWER_SOCKET", "relative")
    ended = run("status")
    assert (ended.code, ended.err.splitlines()[1]) == (1, "code: socket_invalid")
    ended = run("doctor")
    assert ended.code == 1
    assert ended.out.startswith("socket_resolved\tfail\tAGENTTOWER_SOCKET must be")


def test_layouts(run: Any, daemon: FakeDaemon) -> None:  # noqa: F811
    items = [{"layout_id": samples.LAYOUT, "state": "ready", "tmux_session_name": "a\tb"}]
    daemon.on("managed.layout.list", {"items": items, "next": None})
    header, row = run("layout", "list", "--state", "ready").lines
    assert header.split("\t")[:2] == ["LAYOUT_ID", "CONTAINER"]
    assert row.split("\t")[:5] == [samples.LAYOUT, "-", "-", "a\\tb", "ready"]
    assert daemon.params_of("managed.layout.list")[0]["state"] == ["ready"]
    answer = json.loads(run("ls", "--json").out)
    assert answer == {"ok": True, "result": {"items": items, "next": None}}
    daemon.on("managed.layout.detail", samples.layout("ready", [samples.done("m1")]))
    shown = run("layout", "show", samples.LAYOUT[:6])
    assert "state=ready" in shown.lines
    assert shown.lines[-1].split("\t")[1] == "m1"
    assert run("layout", "show", "zzzz").code == 2


@pytest.mark.parametrize(("state", "code"), [("ready", 0), ("degraded", 5), ("failed", 4)])
def test_a_layout_is_created_in_ones_own_container(
    run: Any,
    daemon: FakeDaemon,  # noqa: F811
    state: str,
    code: int,
) -> None:
    daemon.on("list_containers", {"containers": [], "caller_container_id": samples.CONTAINER})
    daemon.on("managed.layout.create", {"layout_id": samples.LAYOUT, "state": "creating"})
    done = samples.layout(state, [samples.done("m1")])
    daemon.on("managed.layout.watch", {"layout": done})
    ended = run("layout", "create", "1m+2s", "--session", "w", "--launch", "slave:s1=codex")
    assert ended.code == code
    assert f"state={state}" in ended.lines
    (asked,) = daemon.params_of("managed.layout.create")
    assert asked["container_id"] == samples.CONTAINER
    assert asked["launch_command_overrides"] == {"slave:s1": "codex"}
    assert run("layout", "create", "t", "--session", "w", "--detach").code == 0
    assert len(daemon.params_of("managed.layout.watch")) == 1


def test_on_the_host_there_is_no_container_of_ones_own(
    run: Any,
    daemon: FakeDaemon,  # noqa: F811
) -> None:
    daemon.on("list_containers", {"containers": [], "caller_container_id": None})
    ended = run("layout", "create", "1m+2s", "--session", "w")
    assert (ended.code, "--container" in ended.err) == (2, True)


def test_panes_are_named_by_label(run: Any, daemon: FakeDaemon) -> None:  # noqa: F811
    old = samples.done("s1") | {"state": "failed", "pane_id": "old"}
    rows = [old, samples.done("s1") | {"predecessor_id": "old"}]
    daemon.on("managed.pane.list", {"items": rows, "next": None})
    daemon.on("managed.pane.remove", lambda params: params | {"state": "removed"})
    assert run("pane", "remove", "s1").out == "pane_id=pane-s1\nstate=removed\n"
    daemon.on(
        "managed.pane.list", {"items": [samples.done("s1"), samples.done("s1")], "next": None}
    )
    ended = run("pane", "remove", "s1")
    assert (ended.code, "2 panes are called 's1'" in ended.err) == (2, True)
    assert run("pane", "remove", "nobody").code == 2
    assert len(daemon.params_of("managed.pane.remove")) == 1


def test_agents_and_logs(run: Any, daemon: FakeDaemon) -> None:  # noqa: F811
    agent = {"agent_id": "agt_0123456789ab", "label": "s1", "role": "slave", "active": True}
    daemon.on("list_agents", {"agents": [agent, agent | {"active": False, "agent_id": "agt_1"}]})
    assert run("agent", "list").lines[1].split("\t")[:3] == [agent["agent_id"], "s1", "slave"]
    page = {"lines": ["a\x1b[1m"], "partial": "b", "next": 1, "file": "f"}
    daemon.on("logs.read", page)
    assert run("logs", "show", "s1", "--lines", "7").out == "a\\x1b[1m\nb\n"
    assert daemon.params_of("logs.read")[0]["agent_id"] == agent["agent_id"]
    assert daemon.params_of("logs.read")[0]["lines"] == 7
    assert run("logs", "show", "nobody").code == 2


@pytest.mark.parametrize(
    ("state", "code"), [("delivered", 0), ("blocked", 3), ("failed", 4), ("canceled", 4)]
)
def test_sending(
    run: Any,
    daemon: FakeDaemon,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    code: int,
) -> None:
    prompt = {"message_id": "m", "state": state, "last_updated_at": "1"}
    daemon.on("list_containers", {"containers": [], "caller_container_id": None})
    daemon.on("queue.operator_input", prompt)
    ended = run("send", "agt_0123456789ab", "hello")
    assert (ended.code, ended.lines[:2]) == (code, ["message_id=m", f"state={state}"])
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"x\n"), isatty=bool))
    assert run("send", "agt_0123456789ab", "--no-wait").code == 0
    assert daemon.params_of("queue.operator_input")[1]["body_bytes"] == "eA=="
    daemon.on("queue.list", {"rows": [prompt | {"sender": {"label": "m1"}}]})
    assert run("queue", "list").lines[1].split("\t")[4] == "m1"
    daemon.on("queue.show", prompt)
    assert json.loads(run("queue", "show", "m", "--json").out)["result"] == prompt


def test_anything_can_be_called(run: Any, daemon: FakeDaemon) -> None:  # noqa: F811
    daemon.on("list_panes", lambda params: {"seen": params})
    ended = run("call", "list_panes", '{"active_only": true}')
    assert json.loads(ended.out) == {"ok": True, "result": {"seen": {"active_only": True}}}


def test_events(run: Any, daemon: FakeDaemon) -> None:  # noqa: F811
    daemon.on("managed.event.list", {"events": [samples.event(1)], "next": 1})
    assert run("events").lines[1].split("\t")[1] == "managed_pane_created"
    agents = {"event_id": 1, "event_type": "error", "agent_id": "agt_1", "excerpt": "e"}
    daemon.on("events.list", {"events": [agents], "next_cursor": None})
    assert run("events", "--agents").lines[1] == "-\terror\tagt_1\t-\te"
    assert json.loads(run("events", "--agents", "--json").out) == agents


def test_the_unexpected_is_told_and_has_its_code(
    run: Any,
    daemon: FakeDaemon,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    daemon.on("list_agents", {"odd": 1})
    ended = run("agent", "list")
    assert (ended.code, ended.err.splitlines()[1]) == (1, "code: internal_error")
    monkeypatch.setenv("AGENTTOWER_DEBUG", "1")
    with pytest.raises(KeyError):
        run("agent", "list")


def test_tables_on_terminals(capsys: Fixture, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = output.Output(as_json=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    shown.rows([("A", "a"), ("LONG", "b.c")], [{"a": "xyz", "b": {"c": None}}], "none")
    shown.rows([("A", "a")], [], "none")
    assert capsys.readouterr().out == "A    LONG\nxyz  -\nnone\n"


@pytest.mark.parametrize("start", range(0, 0x3000, 0x400))
def test_text_is_made_safe_as_the_full_command_does(start: int) -> None:
    everything = "".join(map(chr, range(start, start + 0x400)))
    assert output.safe(everything) == text.safe(everything)
    assert output.safe("\ud800") == text.safe("\ud800")


def test_who_stops_reading_ends_it(tmp_path: Path, home: StateHome, daemon: FakeDaemon) -> None:  # noqa: F811
    import subprocess

    events = [samples.event(number) for number in range(1, 150)]
    daemon.on("managed.event.list", {"events": events, "next": 1})
    command = f"{sys.executable} -m agenttower.client events; echo $? >&2"
    done = subprocess.run(
        ["bash", "-c", f"({command}) | head -1"],
        env={**home.environ, "AGENTTOWER_SOCKET": str(daemon.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith("TIMESTAMP")
    assert done.stderr.strip() in ("0", "141")
