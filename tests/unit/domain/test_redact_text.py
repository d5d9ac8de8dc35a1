"""Secrets that can be told by their looks do not leave in what a program printed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenttower.domain.redaction import redact_text

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
