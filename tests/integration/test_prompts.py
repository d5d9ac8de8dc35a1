"""Prompts reach agents in real panes, once and whole, or say honestly why not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_bench_clients import ask_from
from tests.support import module_tower
from tests.support.docker import BenchFactory
from tests.support.mock_agent import MockAgent
from tests.support.mock_layout import WAIT_S, MockLayout, mock_layout
from tests.support.tower import Tower
from tests.support.waiting import wait_until

AGENTS = {
    "m1": [],
    "plain": [],
    "swallows": ["--swallow-enter", "0.4"],
    "collapses": ["--collapse-pastes", "3"],
    "half": ["--half-typed", "do not lose this"],
    "trust": ["--trust"],
    "works": ["--think", "0.4"],
    "crashes": ["--reply", "!crash 3"],
    "hangs": ["--reply", "!hang"],
    "shell": ["exec", "bash", "--norc"],
}


state_home, bench_factory, tower = (
    module_tower.state_home,
    module_tower.bench_factory,
    module_tower.tower,
)


@pytest.fixture(scope="module")
def mocks(
    tower: Tower, bench_factory: BenchFactory, tmp_path_factory: pytest.TempPathFactory
) -> MockLayout:
    directory: Path = tmp_path_factory.mktemp("mocks")
    made = mock_layout(tower, bench_factory, directory, AGENTS)
    made.ready("plain", "swallows", "collapses", "half", "works", "crashes", "hangs")
    return made


def outcome(row: dict[str, Any]) -> tuple[str, str | None]:
    return row["state"], row["submission"]


def test_an_operators_prompt_arrives_as_it_was_written(mocks: MockLayout) -> None:
    texts = [b"one", "zwei\n\tdrei 漢字 #{pid} %H \\ ;\n".encode(), b"x" * 40_000]
    for text in texts:
        row = mocks.send("plain", text)
        assert outcome(row) == ("delivered", "submitted"), row
    assert mocks.prompts("plain") == texts


def test_64_kib_arrive_whole(mocks: MockLayout) -> None:
    before = len(mocks.prompts("plain"))
    text = b"0123456789abcde\n" * 4095 + b"0123456789abcdef"
    file = mocks.directory / "long"
    file.write_bytes(text)
    row = mocks.tower.result(
        "queue.operator_input",
        {"target": mocks.id("plain"), "body_file": str(file), "wait_timeout_seconds": 30},
    )
    assert row["envelope_size_bytes"] == 65_536
    assert outcome(row) == ("delivered", "submitted"), row
    assert mocks.prompts("plain")[before:] == [text]


def test_a_masters_prompt_carries_the_envelope(mocks: MockLayout) -> None:
    before = len(mocks.prompts("plain"))
    row = mocks.as_master("m1", mocks.id("plain"), b"line one\nline two")["result"]
    assert outcome(row) == ("delivered", "submitted"), row
    [got] = mocks.prompts("plain")[before:]
    assert got.decode() == (
        f"Message-Id: {row['message_id']}\n"
        f'From: {mocks.id("m1")} "m1" master [capability=mock]\n'
        f'To: {mocks.id("plain")} "plain" slave [capability=mock]\n'
        "Type: prompt\nPriority: normal\nRequires-Reply: yes\n\nline one\nline two"
    )
    assert row["envelope_size_bytes"] == len(got)


def test_an_enter_that_came_too_soon_is_pressed_again(mocks: MockLayout) -> None:
    row = mocks.send("swallows", b"once\nand once only")
    assert outcome(row) == ("delivered", "submitted"), row
    assert mocks.prompts("swallows") == [b"once\nand once only"]


def test_a_collapsed_paste_is_recognised(mocks: MockLayout) -> None:
    row = mocks.send("collapses", b"1\n2\n3\n4\n5")
    assert outcome(row) == ("delivered", "submitted"), row
    assert mocks.prompts("collapses") == [b"1\n2\n3\n4\n5"]


def test_whoever_scrolls_does_not_stop_a_prompt(mocks: MockLayout) -> None:
    before = len(mocks.prompts("plain"))
    pane = mocks.pane_key("plain")["tmux_pane_id"]
    mocks.bench.exec_run(["tmux", "copy-mode", "-t", pane])
    assert outcome(mocks.send("plain", b"a\nb")) == ("delivered", "submitted")
    assert mocks.prompts("plain")[before:] == [b"a\nb"]


def test_what_does_not_stand_ready_gets_nothing(mocks: MockLayout) -> None:
    told = {"half": "do not lose this", "trust": "a dialog waits", "shell": "a bare shell"}
    sent = {label: mocks.send(label, b"touch /tmp/never", wait=False) for label in told}
    for label, why in told.items():
        row = settled_prompt(mocks, sent[label])
        assert (row["state"], row["failure_reason"]) == ("failed", "pane_not_ready"), row
        assert why in row["detail"]
        assert mocks.agents[label].raw() == b""
    assert mocks.bench.exec_run(["test", "-e", "/tmp/never"]).exit_code == 1


def settled_prompt(mocks: MockLayout, sent: dict[str, Any]) -> dict[str, Any]:
    def over() -> dict[str, Any] | None:
        row = mocks.tower.result("queue.show", {"message_id": sent["message_id"]})
        return None if row["state"] == "queued" else dict(row)

    row = wait_until(over, 20, "the prompt to be over")
    assert row is not None
    return row


def test_an_agent_at_work_gets_its_prompts_in_order(mocks: MockLayout) -> None:
    texts = [f"job {number}".encode() for number in range(4)]
    for text in texts:
        mocks.send("works", text, wait=False)
    wait_until(lambda: mocks.prompts("works") == texts, 30, "all prompts, in order")


def test_a_program_that_hangs_is_told_as_unverified(mocks: MockLayout) -> None:
    assert outcome(mocks.send("hangs", b"hang"))[0] == "delivered"
    row = mocks.send("hangs", b"anybody there?")
    assert outcome(row) == ("delivered", "unverified"), row
    assert row["submission_reason"]


def test_an_agent_that_has_crashed_gets_nothing(mocks: MockLayout) -> None:
    assert mocks.send("crashes", b"die")["state"] == "delivered"
    pane = mocks.pane_key("crashes")["tmux_pane_id"]

    def crashed() -> bool:
        shown = mocks.bench.exec_run(["tmux", "capture-pane", "-p", "-t", pane])
        return b"Traceback" in shown.output

    wait_until(crashed, 20, "the agent to crash")
    row = mocks.send("crashes", b"no")
    assert (row["state"], row["failure_reason"]) == ("failed", "pane_not_ready"), row
    assert mocks.prompts("crashes") == [b"die"]


def test_the_kill_switch_holds_everything_back(mocks: MockLayout) -> None:
    before = len(mocks.prompts("plain"))
    mocks.tower.result("routing.disable")
    try:
        row = mocks.send("plain", b"held")
        assert (row["state"], row["block_reason"]) == ("blocked", "kill_switch_off")
    finally:
        mocks.tower.result("routing.enable")
    approved = mocks.tower.result("queue.approve", {"message_id": row["message_id"]})
    assert approved["state"] == "queued"
    wait_until(lambda: mocks.prompts("plain")[before:] == [b"held"], 20, "the prompt")


def test_an_adopted_agent_on_a_server_of_its_own(mocks: MockLayout) -> None:
    """Its pane has the same %id as one of ours on another server."""
    adopted = MockAgent(mocks.directory, "adopted")
    tmux = ["tmux", "-L", "other"]
    for command in (
        ["new-session", "-d", "-s", "own", "-x", "100", "-y", "30", "sleep", "9999"],
        ["new-window", "-d", "-t", "own:", *adopted.argv()],
    ):
        assert mocks.bench.exec_run([*tmux, *command]).exit_code == 0
    tower = mocks.tower

    def found() -> list[dict[str, Any]]:
        tower.result("scan_panes", {"container": mocks.bench.id})
        panes = tower.result("list_panes", {"active_only": True})["panes"]
        return [
            pane
            for pane in panes
            if pane["pane_current_command"] == "python3"
            and pane["tmux_socket_path"].endswith("/other")
        ]

    [pane] = wait_until(found, 20, "the pane to be found")
    ours = {mocks.pane_key(label)["tmux_pane_id"] for label in mocks.panes if label != "trust"}
    assert pane["tmux_pane_id"] in ours
    key = {name: pane[name] for name in mocks.pane_key("plain")}
    params = {"container_id": mocks.bench.id, "pane_composite_key": key, "role": "slave"}
    agent = tower.result("register_agent", {**params, "capability": "claude", "label": "theirs"})
    row = tower.result(
        "queue.operator_input",
        {"target": "theirs", "body_bytes": "aGVsbG8KeW91", "wait_timeout_seconds": WAIT_S},
    )
    assert row["target"]["agent_id"] == agent["agent_id"]
    assert outcome(row) == ("delivered", "submitted"), row
    assert adopted.prompts() == [b"hello\nyou"]


def test_a_client_in_the_bench_speaks_for_its_own_panes_only(mocks: MockLayout) -> None:
    before = len(mocks.prompts("plain"))
    params = {
        "caller_pane": {"pane_composite_key": mocks.pane_key("m1")},
        "target": "plain",
        "body_bytes": "ZnJvbSBpbnNpZGU=",
        "wait_timeout_seconds": WAIT_S,
    }
    reply = ask_from(mocks.bench, mocks.tower, "queue.send_input", params)
    assert reply["ok"], reply
    assert outcome(reply["result"]) == ("delivered", "submitted")
    assert mocks.prompts("plain")[before:][0].endswith(b"\n\nfrom inside")
    foreign = mocks.pane_key("m1") | {"container_id": "f" * 64}
    for method, change, code in (
        ("queue.send_input", {"caller_pane": {"pane_composite_key": foreign}}, "bad_request"),
        ("queue.operator_input", {}, "host_only"),
        ("routing.disable", {}, "routing_toggle_host_only"),
    ):
        reply = ask_from(mocks.bench, mocks.tower, method, params | change)
        assert reply["error"]["code"] == code, reply


def test_the_command_line(mocks: MockLayout) -> None:
    def agenttower(*arguments: str, code: int = 0) -> list[str]:
        ended = subprocess.run(
            [sys.executable, "-m", "agenttower.cli.main", *arguments],
            env=mocks.tower.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == code, ended.stdout + ended.stderr
        return ended.stdout.splitlines()

    before = len(mocks.prompts("plain"))
    lines = agenttower("send", "plain", "from the command line")
    assert lines[-1].split()[2:4] == ["delivered", "submitted"], lines
    assert mocks.prompts("plain")[before:] == [b"from the command line"]
    layout = mocks.panes["plain"]["layout_id"]
    agenttower("routing", "disable")
    try:
        rows = agenttower("broadcast", "--layout", layout, "--yes", "later", code=3)
        assert len(rows) == len(AGENTS), "a header, and all but the master"
        for row in rows[1:]:
            assert row.split("\t")[2:4] == ["blocked", "kill_switch_off"]
            assert "state=canceled" in agenttower("queue", "cancel", row.split("\t")[5])
    finally:
        agenttower("routing", "enable")


def test_removing_a_pane_cancels_what_waits_for_it(mocks: MockLayout) -> None:
    tower = mocks.tower
    flying, queued = (mocks.send("trust", text, wait=False) for text in (b"one", b"two"))

    def shown(row: dict[str, Any]) -> dict[str, Any]:
        return dict(tower.result("queue.show", {"message_id": row["message_id"]}))

    wait_until(lambda: shown(flying)["delivery_attempt_started_at"], 20, "the first to be tried")
    tower.result("managed.pane.remove", {"pane_id": mocks.panes["trust"]["pane_id"]})
    canceled = shown(queued)
    assert (canceled["state"], canceled["operator_action"]) == ("canceled", None)
    assert canceled["detail"] == "the agent's pane was removed"
    wait_until(lambda: shown(flying)["state"] == "failed", 20, "the first to be settled")
    after = mocks.send("trust", b"too late")
    assert (after["state"], after["block_reason"]) == ("blocked", "target_not_active")


def test_with_another_tmux(tower: Tower, bench_factory: BenchFactory, tmp_path: Path) -> None:
    agents = {"m1": [], "swallows": ["--swallow-enter", "0.4"], "other": ["--alternate"]}
    mocks = mock_layout(tower, bench_factory, tmp_path, agents, "trixie", "trixie")
    mocks.ready("swallows", "other")
    for label in ("swallows", "other"):
        assert outcome(mocks.send(label, b"one\ntwo")) == ("delivered", "submitted")
        assert mocks.prompts(label) == [b"one\ntwo"]
