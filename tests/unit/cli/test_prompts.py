"""``send``, ``broadcast``, ``queue``, ``routing``: what they ask, what they show, how they end."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agenttower.cli.exit_codes import ExitCode
from tests.unit.cli.conftest import Cli
from tests.unit.cli.fake_daemon import FakeDaemon, Refusal

C1 = "a" * 64
SOCKET = "/tmp/tmux-0/default"
TIMES = [f"2026-05-06T18:01:34.{n}00Z" for n in range(1, 6)]


def agent(agent_id: str, label: str, **changes: Any) -> dict[str, Any]:
    return {
        "agent_id": agent_id, "label": label, "role": "slave", "capability": "codex",
        "container_id": C1, "tmux_socket_path": SOCKET, "tmux_session_name": "work",
        "tmux_window_index": 0, "tmux_pane_index": 1, "tmux_pane_id": "%0", "active": True,
    } | changes  # fmt: skip


ONE = agent("agt_0123456789ab", "one")
TWO = agent("agt_0123aaaaaaaa", "two", capability="claude", tmux_pane_id="%1")
BOSS = agent("agt_bbbbbbbbbbbb", "boss", role="master", tmux_pane_id="%7")


def row(state: str = "queued", at: int = 0, target: dict[str, Any] = ONE, **more: Any) -> Any:
    return {
        "message_id": f"m-{target['label']}", "state": state, "block_reason": None,
        "failure_reason": None, "sender": {"agent_id": "host-operator", "label": "host-operator"},
        "target": {"agent_id": target["agent_id"], "label": target["label"]},
        "enqueued_at": TIMES[0], "delivery_attempt_started_at": None, "last_updated_at": TIMES[at],
        "origin": "direct", "envelope_size_bytes": 5, "excerpt": "hello", "detail": None,
        "submission": None, "submission_reason": None,
    } | more  # fmt: skip


DELIVERED = row("delivered", 2, submission="submitted")


@pytest.fixture(autouse=True)
def answers(daemon: FakeDaemon) -> None:
    daemon.on("list_containers", {"containers": [], "caller_container_id": None})
    daemon.on("list_agents", lambda params: {"agents": _fitting(params)})
    daemon.on("queue.operator_input", row())
    steps = iter([row(at=1, delivery_attempt_started_at=TIMES[1]), DELIVERED])
    daemon.on("queue.show", lambda _: next(steps))


def _fitting(params: dict[str, Any]) -> list[dict[str, Any]]:
    roles = params.get("role")
    return [one for one in (ONE, TWO, BOSS) if roles is None or one["role"] in roles]


def test_send_shows_each_state_in_a_pipe(cli: Cli, daemon: FakeDaemon) -> None:
    ended = cli("send", "one", "héllo\n")
    assert ended.code == 0
    assert ended.lines == [
        "prompt m-one queued - -",
        "prompt m-one delivering - -",
        "prompt m-one delivered submitted -",
    ]
    [asked] = daemon.params_of("queue.operator_input")
    assert base64.b64decode(asked.pop("body_bytes")).decode() == "héllo\n"
    assert asked == {"target": ONE["agent_id"], "wait": False}
    assert [look["after"] for look in daemon.params_of("queue.show")] == TIMES[:2]


def test_send_with_json_prints_the_last_row_only(cli: Cli) -> None:
    ended = cli("send", "one", "hello", "--json")
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out) == {"ok": True, "result": DELIVERED}


def test_send_on_a_terminal(cli: Cli) -> None:
    ended = cli.on_terminal("--no-color", "send", "one", "hello")
    assert [line.split() for line in ended.out.splitlines()] == [
        ["queued", "one"],
        ["delivering", "one"],
        ["delivered", "one", "submitted"],
    ]


@pytest.mark.parametrize(
    ("last", "code"),
    [
        (DELIVERED, ExitCode.OK),
        (row("delivered", 2, submission="unverified", submission_reason="silent"), ExitCode.OK),
        (row("blocked", 2, block_reason="kill_switch_off"), ExitCode.REFUSED),
        (row("failed", 2, failure_reason="pane_not_ready", detail="busy"), ExitCode.LAYOUT_FAILED),
        (row("canceled", 2), ExitCode.LAYOUT_FAILED),
    ],
)
def test_how_send_ends(cli: Cli, daemon: FakeDaemon, last: Any, code: int) -> None:
    daemon.on("queue.show", last)
    ended = cli("send", "one", "hello")
    assert ended.code == code
    assert last["state"] in ended.lines[-1]
    assert (last["detail"] or last["submission_reason"] or "-") in ended.lines[-1]


def test_what_is_still_queued_when_time_is_up(cli: Cli, daemon: FakeDaemon) -> None:
    daemon.on("queue.show", row())
    assert cli("send", "one", "hello", "--timeout", "0.1").code == ExitCode.TIMED_OUT
    assert cli("send", "one", "hello", "--no-wait").code == ExitCode.OK


def test_a_refusal_is_told_by_its_code(cli: Cli, daemon: FakeDaemon) -> None:
    def refuse(_params: dict[str, Any]) -> object:
        raise Refusal("body_invalid_chars", "no ESC")

    daemon.on("queue.operator_input", refuse)
    ended = cli("send", "one", "\x1b")
    assert (ended.code, ended.err.splitlines()[-1]) == (3, "code: body_invalid_chars")


def test_where_the_text_comes_from(cli: Cli, daemon: FakeDaemon, tmp_path: Path) -> None:
    file = tmp_path / "task"
    file.write_bytes(b"two\nlines\n")
    assert cli("send", "one", "--file", str(file), "--no-wait").code == 0
    done = subprocess.run(
        [*Cli.argv, "send", "one", "-", "--no-wait"], input=b"piped\xff\n", check=False
    )
    assert done.returncode == 0
    bodies = [base64.b64decode(p["body_bytes"]) for p in daemon.params_of("queue.operator_input")]
    assert bodies == [b"two\nlines", b"piped\xff"]
    for wrong in (["x", "--file", str(file)], ["--file", "/nowhere"], ["--file", str(tmp_path)]):
        assert cli("send", "one", *wrong).code == ExitCode.USAGE


def test_a_long_text_goes_by_a_private_file_that_does_not_stay(
    cli: Cli, daemon: FakeDaemon, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []

    def look(params: dict[str, Any]) -> object:
        stat = Path(params["body_file"]).stat()
        seen.append((stat.st_size, stat.st_mode & 0o777))
        return DELIVERED

    daemon.on("queue.operator_input", look)
    (tmp_path / "long").write_bytes(b"x" * 65_536)
    assert cli("send", "one", "--file", str(tmp_path / "long")).code == 0
    assert seen == [(65_536, 0o600)]
    [asked] = daemon.params_of("queue.operator_input")
    assert not Path(asked["body_file"]).exists()


def test_in_a_bench_the_agent_of_this_pane_sends(
    cli: Cli, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.on("list_containers", {"containers": [], "caller_container_id": C1})
    daemon.on("queue.send_input", DELIVERED)
    daemon.on("queue.cancel", row("canceled"))
    assert cli("send", "one", "hello").err.splitlines()[-1] == "code: not_in_tmux"
    monkeypatch.setenv("TMUX", f"{SOCKET},1,0")
    monkeypatch.setenv("TMUX_PANE", "%9")
    assert cli("send", "one", "x").err.splitlines()[-1] == "code: sender_role_not_permitted"
    monkeypatch.setenv("TMUX_PANE", "%7")
    assert cli("send", "one", "hello").code == 0
    assert cli("queue", "cancel", "m-one").code == 0
    for method in ("queue.send_input", "queue.cancel"):
        [asked] = daemon.params_of(method)
        assert asked["caller_pane"]["pane_composite_key"] == {
            "container_id": C1, "tmux_socket_path": SOCKET, "tmux_session_name": "work",
            "tmux_window_index": 0, "tmux_pane_index": 1, "tmux_pane_id": "%7",
        }  # fmt: skip
    assert cli("send", "one", "x", "--idempotency-key", "k").code == ExitCode.USAGE


# --- broadcast -----------------------------------------------------------------------------------


def test_broadcast_sends_to_each_and_ends_with_the_worst(cli: Cli, daemon: FakeDaemon) -> None:
    ends = {
        ONE["agent_id"]: DELIVERED,
        TWO["agent_id"]: row("failed", 2, TWO, failure_reason="pane_not_ready", detail="dialog"),
    }
    daemon.on("queue.operator_input", lambda asked: ends[asked["target"]])
    ended = cli("broadcast", "--role", "slave", "stop", "--yes")
    assert ended.code == ExitCode.LAYOUT_FAILED
    assert [line.split("\t") for line in ended.lines] == [
        ["TARGET", "LABEL", "STATE", "REASON", "DETAIL", "MESSAGE_ID"],
        [ONE["agent_id"], "one", "delivered", "submitted", "-", "m-one"],
        [TWO["agent_id"], "two", "failed", "pane_not_ready", "dialog", "m-two"],
    ]
    ended = cli("broadcast", "--capability", "codex", "stop", "--json")
    assert ended.code == 0, "one needs no question"
    assert json.loads(ended.out)["result"]["rows"] == [DELIVERED]


def test_broadcast_to_a_layout(cli: Cli, daemon: FakeDaemon) -> None:
    layout = "6b0c4c1e-52c5-4f7e-8c64-1f1b8a3d9f10"
    panes = [{"agent_id": TWO["agent_id"]}, {"agent_id": None}, {"agent_id": BOSS["agent_id"]}]
    daemon.on("managed.layout.detail", {"panes": panes})
    assert cli("broadcast", "--layout", layout, "x", "--no-wait").code == 0
    assert [p["target"] for p in daemon.params_of("queue.operator_input")] == [TWO["agent_id"]]


def test_broadcast_shows_whom_it_means_and_asks(cli: Cli, daemon: FakeDaemon) -> None:
    ended = cli("broadcast", "--role", "slave", "x")
    assert (ended.code, "--yes" in ended.err) == (ExitCode.USAGE, True)
    ended = cli.on_terminal("broadcast", "--role", "slave", "x", typed="n\n")
    assert ended.code == ExitCode.DECLINED
    assert "one" in ended.out
    assert "boss" not in ended.out
    assert daemon.params_of("queue.operator_input") == []
    assert cli("broadcast", "x").code == ExitCode.USAGE
    assert cli("broadcast", "--capability", "none", "x").code == ExitCode.USAGE


# --- queue and routing ---------------------------------------------------------------------------


def test_the_queue_as_plain_lines(cli: Cli, daemon: FakeDaemon) -> None:
    daemon.on("queue.list", {"rows": [DELIVERED, row("blocked", block_reason="operator_delayed")]})
    ended = cli("queue", "list", "--target", "one", "--sender", "host-operator", "--limit", "5")
    assert daemon.params_of("queue.list") == [
        {"target": ONE["agent_id"], "sender": "host-operator", "limit": 5}
    ]
    assert [line.split("\t")[1:5] for line in ended.lines] == [
        ["STATE", "REASON", "FROM", "TO"],
        ["delivered", "submitted", "host-operator", ONE["agent_id"]],
        ["blocked", "operator_delayed", "host-operator", ONE["agent_id"]],
    ]
    daemon.on("queue.list", {"rows": [], "next_cursor": None})
    assert json.loads(cli("queue", "list", "--json").out)["result"]["rows"] == []


@pytest.mark.parametrize("verb", ["show", "approve", "delay", "cancel"])
def test_one_prompt(cli: Cli, daemon: FakeDaemon, verb: str) -> None:
    daemon.on(f"queue.{verb}", DELIVERED)
    ended = cli("queue", verb, "m-one")
    assert daemon.params_of(f"queue.{verb}") == [{"message_id": "m-one"}]
    assert "state=delivered" in ended.lines


@pytest.mark.parametrize("verb", ["enable", "disable", "status"])
def test_the_switch(cli: Cli, daemon: FakeDaemon, verb: str) -> None:
    daemon.on(f"routing.{verb}", {"value": "enabled"})
    assert cli("routing", verb).lines == ["value=enabled"]
    assert json.loads(cli("routing", verb, "--json").out)["result"] == {"value": "enabled"}
