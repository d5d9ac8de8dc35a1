"""The mock agent in real panes: it does what it says, and tells the truth about its input."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agenttower.bench.interface import PaneTarget, PaneView
from tests.support.bench_box import Box, soon
from tests.support.mock_agent import MockAgent
from tests.support.waiting import wait_until

RULE = "─" * 20


class Pane:
    """A mock agent in a pane, with hands on its keyboard."""

    def __init__(self, box: Box, *options: str, name: str = "agent") -> None:
        self.box = box
        self.agent = MockAgent(box.shared, name)
        self.view: PaneView = box.create(*self.agent.argv(*options))

    def screen(self) -> str:
        view = self.view
        target = PaneTarget(view.socket_path, view.pane_id, view.pane_pid, view.token)
        screen = self.box.bench.screen(target, soon())
        assert screen is not None
        return "\n".join(screen.lines)

    def shows(self, text: str) -> None:
        wait_until(lambda: text in self.screen(), 20, f"the agent to show {text!r}")

    def keys(self, *keys: str) -> None:
        self.box.tmux("send-keys", "-t", self.view.pane_id, *keys)

    def paste(self, data: bytes) -> None:
        (self.box.shared / "clip").write_bytes(data)
        self.box.tmux("load-buffer", "-b", "clip", str(self.box.shared / "clip"))
        self.box.tmux("paste-buffer", "-p", "-r", "-d", "-b", "clip", "-t", self.view.pane_id)


def test_what_is_pasted_is_recorded_byte_for_byte(box: Box) -> None:
    pane = Pane(box, "--alternate")
    pane.shows(RULE)
    long = ("漢字 e\u0301 \t#{pid} %H \\ ;\n" * 2500).encode()
    for number, prompt in enumerate((b"one", b"two\nthree", long), start=1):
        pane.paste(prompt)
        pane.keys("Enter")
        pane.shows(f"received {number}: {len(prompt)} bytes")
    assert pane.agent.prompts() == [b"one", b"two\nthree", long]
    assert pane.agent.raw().count(b"\x1b[200~") == 3


def test_dialogs_stand_before_the_prompt(make_box: Callable[..., Box]) -> None:
    pane = Pane(make_box(), "--trust", "--login", "--update", "--reply", "!ask rm x | over")
    pane.shows("Update available")
    pane.keys("Down", "Enter")
    pane.shows("Paste code here")
    pane.keys("code", "Enter")
    pane.shows("Do you trust")
    pane.keys("1")
    pane.shows(RULE)
    pane.keys("go", "Enter")
    pane.shows("Do you want to proceed?")
    pane.keys("Escape")
    pane.shows("Permission refused")
    pane.shows("● over")
    assert pane.agent.prompts() == [b"go"]


def test_answers_errors_and_ends(make_box: Callable[..., Box]) -> None:
    box = make_box()
    replies = ("count => !lines 3 | did {n}", "die => !crash 7", "first\\nline", "!error no")
    pane = Pane(box, *(word for reply in replies for word in ("--reply", reply)))
    pane.shows(RULE)
    for typed, said in (("a", "● line"), ("b", "API Error: no"), ("count", "● did 3"), ("c", "no")):
        pane.keys(typed, "Enter")
        pane.shows(said)
    assert "line 3 of 3" in pane.screen()
    pane.keys("die", "Enter")
    ended = box.exited(pane.view.token)
    assert ended.exit is not None
    assert ended.exit.code == 7
    assert "RuntimeError: mock crash" in pane.screen()
    early = box.create(*pane.agent.argv("--crash-at-start", "4"), siblings=[pane.view.token])
    ended = box.exited(early.token)
    assert ended.exit is not None
    assert ended.exit.code == 4


def test_bad_habits(make_box: Callable[..., Box]) -> None:
    habits = ("--half-typed", "draft ", "--collapse-pastes", "2", "--swallow-enter", "1")
    pane = Pane(make_box(), *habits)
    pane.shows("> draft")
    pane.paste(b"a\nb\nc")
    pane.keys("Enter")
    pane.shows("> draft [Pasted text #1 +2 lines]")
    assert pane.agent.prompts() == []

    def submitted() -> bool:
        pane.keys("Enter")
        return pane.agent.prompts() == [b"draft a\nb\nc"]

    wait_until(submitted, 20, "an Enter to count again")


def test_it_thinks_can_be_stopped_and_can_hang(make_box: Callable[..., Box]) -> None:
    pane = Pane(make_box(), "--reply", "!think 600 | never", "--reply", "now | !hang")
    pane.shows(RULE)
    pane.keys("a", "Enter")
    pane.shows("Thinking… (1s")
    pane.keys("Escape")
    pane.shows("Interrupted")
    pane.keys("b", "Enter")
    pane.shows("● now")
    read = len(pane.agent.raw())
    pane.keys("x")
    with pytest.raises(AssertionError):
        wait_until(lambda: len(pane.agent.raw()) > read, 0.5, "a hung agent to read")


def test_a_pane_that_shrinks_leaves_one_input_line(make_box: Callable[..., Box]) -> None:
    box = make_box()
    pane = Pane(box, "--half-typed", "draft")
    pane.shows("> draft")
    box.create(siblings=[pane.view.token], layout="even-horizontal")
    wait_until(
        lambda: pane.screen().count("> draft") == 1 and RULE in pane.screen(), 20, "a redraw"
    )
    pane.keys("!")
    pane.shows("> draft!")
    assert pane.screen().count("for shortcuts") == 1
