"""Which screens wait for a person, and what a prompt would meet there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agenttower.domain.agent_screen import InputKind, input_state
from agenttower.domain.attention import MAX_TEXT, RULES, attention
from tests.support.screens import ScreenFixture, all_screens, screen

FIXTURES = all_screens()

ORDINARY = {
    "compiler": "cc -O2 -c main.c\nmain.c:3:5: error: expected ';' before 'return'\n"
    "    3 |     return 0;\nmake: *** [Makefile:2: main.o] Error 1\ndev@host:~$ ",
    "questions": "● Should we use a queue? It depends. Do you want to proceed with it? Would you\n"
    "  like to run the tests? Possibly (y/n is up to you).\n\n  1. Yes, use a queue\n  2. No\n\n"
    "  Do you trust this folder? That is what the dialog asks.\n" + "─" * 60 + "\n❯ \n" + "─" * 60,
    "numbered answer": "1. First\n2. Second\n3. Third\ndev@host:~$ ",
    "git log": "commit 8f33e73\nAuthor: A\n\n    Ask (y/n) before Password: is read\n:",
    "less": "Enter to confirm\n Do you trust the files in this folder?\n(END)",
    "vim": " ❯ 1. Yes\n   2. No\n~\n~\n~\n~\n~\n~\n~\n~\n~\n~\n-- INSERT --          1,1   All",
    "htop": "  PID USER   PRI  NI  VIRT\n    1 root    20   0  2576\nF1Help  F2Setup F10Quit",
    "an old dialog": " Do you want to proceed?\n ❯ 1. Yes\n   2. No\n\nEnter to confirm\nroot@b:~#",
    "an answered question": "Proceed (Y/n)? y\nRemoved.\ndev@host:~$ ",
    "a password in text": "Password: the word is not asked for here\nmore\n",
    "a build menu": "> 1. build\n  2. test\n  3. deploy\n$ ",
    "pytest": "tests/test_a.py ....F [100%]\nE   assert 1 == 2\n1 failed, 4 passed in 0.1s\n$ ",
    "python": ">>> 1 + 1\n2\n>>> ",
    "nothing": "",
}


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: fixture.name)
def test_screens_of_real_programs(fixture: ScreenFixture) -> None:
    found = attention(fixture.screen)
    assert (found.kind.value if found else None) == fixture.attention
    state = input_state(fixture.screen, fixture.capability)
    assert state.kind.value == fixture.input
    if fixture.typed != "*" and state.kind is not InputKind.DIALOG:
        assert state.text == fixture.typed
    assert fixture.source


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: fixture.name)
def test_the_capability_is_only_a_hint(fixture: ScreenFixture) -> None:
    if fixture.capability != "shell":
        assert input_state(fixture.screen, "anything").kind.value == fixture.input


@pytest.mark.parametrize("text", ORDINARY.values(), ids=ORDINARY.keys())
def test_ordinary_screens_wait_for_nobody(text: str) -> None:
    assert attention(screen(text)) is None


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: fixture.name)
def test_a_screen_that_was_left_behind_waits_no_more(fixture: ScreenFixture) -> None:
    """The same words, shown by ``cat`` or left by a program that ended."""
    text = "\n".join(fixture.screen.lines).rstrip() + "\n\ndev@host:~/app$ "
    found = attention(screen(text, command="bash"))
    assert found is None or not found.blocks


def test_every_rule_has_an_example() -> None:
    seen = {found.rule_id for fixture in FIXTURES if (found := attention(fixture.screen))}
    rules = [rule.rule_id for rule in RULES]
    assert len(set(rules)) == len(rules)
    without = {"screen.aider_permission.v1"}
    assert set(rules) - seen == without


@pytest.mark.parametrize(
    ("text", "rule_id"),
    [
        ("┃  Which database?\n┃\n┃  1. SQLite\n┃  ↑↓ select  enter submit  esc dismiss",
         "screen.opencode_choice.v1"),
        ("Run shell command? (Y)es/(N)o/(D)on't ask again [Yes]: ", "screen.aider_permission.v1"),
        ("Overwrite? [y/N] ", "screen.yes_no.v1"),
        ("Continue (yes/no)? ", "screen.yes_no.v1"),
        ("ipdb> ", "screen.debugger.v1"),
        ("Enter passphrase for key '/home/dev/.ssh/id_ed25519': ", "screen.password.v1"),
        ("Password for 'https://dev@git.invalid': ", "screen.password.v1"),
    ],
)  # fmt: skip
def test_more_questions(text: str, rule_id: str) -> None:
    found = attention(screen(text))
    assert found is not None
    assert found.rule_id == rule_id


def test_a_dead_pane_waits_for_nobody() -> None:
    dead = replace(screen("Overwrite? [y/N] "), dead=True)
    assert attention(dead) is None
    assert input_state(dead, "claude").kind is InputKind.UNKNOWN


def test_the_text_is_one_line_without_secrets() -> None:
    token = "ghp_" + "a" * 36
    found = attention(screen(f"Use {token}?\tfor {'x' * 300} [y/N] "))
    assert found is not None
    assert token not in found.text
    assert len(found.text) == MAX_TEXT
    assert "\t" not in found.text


def test_what_is_typed_at_a_shell_is_told() -> None:
    at = screen("dev@host:~/app$ rm -rf b", command="bash")
    assert input_state(at, "codex").kind is InputKind.SHELL
    assert input_state(at, "codex").text == "rm -rf b"
    assert input_state(at, "shell").kind is InputKind.HALF_TYPED
