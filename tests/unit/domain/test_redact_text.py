"""Secrets that can be told by their looks do not leave in what a program printed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenttower.domain.redaction import redact_text, shown_line

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("key sk-abcdefghijklmnopqrstuvwx!", "key <redacted:openai-key>!"),
        ("sk-proj-abc_DEF-ghijklmnopqrstuv", "<redacted:openai-key>"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123 and more", "<redacted:github-token> and more"),
        ("gho_abcdefghijklmnopqrstuvwxyz0123", "<redacted:github-token>"),
        ("AKIAABCDEFGHIJKLMNOP", "<redacted:aws-access-key>"),
        ("Authorization: Bearer abcdef.0123-456789_x=", "Authorization: Bearer <redacted:bearer>"),
        (JWT, "<redacted:jwt>"),
        (f"{JWT}\r", "<redacted:jwt>"),
        ("MY_API_KEY=x", "MY_API_KEY=<redacted:env-secret>"),
        ("TOKEN=x", "TOKEN=<redacted:env-secret>"),
        ("export DB_PASSWORD='a b'", "export DB_PASSWORD=<redacted:env-secret>"),
        ("\x1b[31mTOKEN=x\x1b[0m", "TOKEN=<redacted:env-secret>"),
        ("one\nSECRET=x\ntwo", "one\nSECRET=<redacted:env-secret>\ntwo"),
    ],
)
def test_secrets(text: str, shown: str) -> None:
    assert redact_text(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "a-rather-long-host-name.of-some-service.example",
        "sk-short",
        "the token is gone",
        "PATH=/usr/bin",
        "ghost_abcdefghijklmnopqrstuvwxyz",
        "",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact_text(text) == text


@given(st.text())
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    once = redact_text(text)
    assert redact_text(once) == once
    assert once.count("\n") == text.count("\n") or "\x1b" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"login with {JWT}, please", "login with <redacted:jwt>, please"),
        ("github_pat_11ABCDEFG0abcdefghijkl_mnop", "<redacted:github-token>"),
        ("run GH_TOKEN=abc make", "run GH_TOKEN=<redacted:env-secret> make"),
        ('env A_SECRET="a b" B=c', "env A_SECRET=<redacted:env-secret> B=c"),
        ("curl 'x?API_KEY=abc def", "curl 'x?API_KEY=<redacted:env-secret> def"),
        ("set MY_TOKEN='never closed", "set MY_TOKEN=<redacted:env-secret>"),
        ("\x9b31msk-abc\x1b[0mdefghijklmnopqrstuvwx", "<redacted:openai-key>"),
        ("\x1b]0;title\x07TOKEN=x", "TOKEN=<redacted:env-secret>"),
        ("\x1b(BTOKEN=x", "TOKEN=<redacted:env-secret>"),
        # Odd escapes take the character behind them along: of the note, not of the secret.
        ("\x1b sk-abcdefghijklmnopqrstuvwx", "redacted:openai-key>"),
        ("\x1b sk-abc\x1b[1mdefghijklmnopqrstuvwx", "redacted:openai-key>"),
        ("\x1b[sk-abcdefghijklmnopqrstuvwx", "edacted:openai-key>"),
    ],
)
def test_secrets_within_lines(text: str, shown: str) -> None:
    assert redact_text(text) == shown


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("one\ttwo\r", "one\ttwo"),
        ("10 %\r20 %\r", "10 % 20 %"),
        ("a\x00b\x07c\x7fd\x9b1e\ud800", "abcd"),
        ("s\x00k-abcdefghijklmnopqrstuvwx", "<redacted:openai-key>"),
    ],
)
def test_shown_lines_obey_nothing(line: str, shown: str) -> None:
    assert shown_line(line) == shown


@given(st.text(alphabet=st.characters(codec=None, exclude_characters="\n")))
def test_nothing_that_a_terminal_obeys_is_shown(line: str) -> None:
    shown = shown_line(line)
    assert not [c for c in shown if (c < " " and c != "\t") or "\x7f" <= c <= "\x9f"]
    shown.encode()


@given(
    st.sampled_from(
        ["sk-" + "a1" * 12, "ghp_" + "Z9" * 12, "github_pat_" + "q_" * 12, "AKIA" + "A1" * 8, JWT]
    ),
    st.text(alphabet="ab =:,\"'\t\x1b[0m\r"),
    st.text(alphabet="ab =:,\"'\t\r"),
)
def test_a_secret_never_leaves(secret: str, before: str, after: str) -> None:
    assert secret not in shown_line(f"{before} {secret} {after}")


@given(st.text(alphabet="TOKENx=<>:'\" \t_ab1-redacted"))
def test_assignments_are_redacted_once(text: str) -> None:
    assert redact_text(redact_text(text)) == redact_text(text)
