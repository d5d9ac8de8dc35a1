"""Rules on screens take whatever a program draws, and take it in linear time."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from agenttower.bench.interface import Screen
from agenttower.domain.agent_screen import input_state
from agenttower.domain.attention import MAX_TEXT, attention
from tests.support.screens import all_screens

FIXTURES = all_screens()
PIECES = st.sampled_from(
    ["❯", "›", "> ", "1. ", "2. ", "│", "┃", "─" * 20, "╭", "╰", "(y/N)", "[", "]", "Password: ",
     "● ", "API Error", "esc to interrupt", "\u00a0", "漢", "e\u0301", "\x1b[2J", "\x00", "\ud800",
     "$ "]
)  # fmt: skip
LINES = st.lists(st.lists(PIECES | st.text(max_size=5), max_size=8).map("".join), max_size=30)
NUMBERS = st.integers(min_value=0, max_value=300)


def shown(lines: list[str], x: int, y: int) -> Screen:
    return Screen(tuple(lines), x, y, "bash", False, False, False, False)


@given(LINES, NUMBERS, NUMBERS, st.sampled_from(["claude", "codex", "shell", "x"]))
def test_nothing_on_a_screen_is_an_error(lines: list[str], x: int, y: int, capability: str) -> None:
    screen = shown(lines, x, y)
    found = attention(screen)
    if found is not None:
        assert len(found.text) <= MAX_TEXT
        assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in found.text)
    input_state(screen, capability)


@given(st.sampled_from(FIXTURES), st.data())
def test_a_screen_cut_anywhere_is_no_error(fixture, data) -> None:  # type: ignore[no-untyped-def]
    text = "\n".join(fixture.screen.lines)
    cut = text[: data.draw(st.integers(0, len(text)))].split("\n")
    input_state(shown(cut, data.draw(NUMBERS), data.draw(NUMBERS)), fixture.capability)


def test_hostile_screens_are_judged_in_linear_time() -> None:
    def seconds(rows: int, columns: int, char: str) -> float:
        screen = shown([char * columns] * rows, columns, rows - 1)
        started = time.thread_time()
        input_state(screen, "claude")
        return time.thread_time() - started

    for char in ("1. ", "❯ ", "(y ", "─", "│ ", "┃ ", "> ", "a-", " ", "[y/n ", "Password "):
        assert seconds(1000, 1000, char) < 0.25
