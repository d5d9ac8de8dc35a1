"""The two envelopes, and the cleaning of messages (legacy surfaces, sections 3.2 and 4)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenttower.errors import BadRequest, HostOnly, ValidationFailed
from agenttower.rpc.envelopes import APP, LEGACY, MANAGED, MESSAGE_LIMIT, clean_text, envelope_of


def load(line: bytes) -> dict[str, Any]:
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    return dict(json.loads(line))


def test_success() -> None:
    for envelope in (LEGACY, MANAGED):
        assert load(envelope.success({"a": "x\ny"})) == {"ok": True, "result": {"a": "x\ny"}}


def test_legacy_failure_has_code_and_message_only() -> None:
    assert load(LEGACY.failure(ValidationFailed("label", "is odd"))) == {
        "ok": False,
        "error": {"code": "validation_failed", "message": "label: is odd"},
    }


def test_managed_failure_always_has_details() -> None:
    assert load(MANAGED.failure(HostOnly()))["error"]["details"] == {}
    details = load(MANAGED.failure(ValidationFailed("label", "is odd")))["error"]["details"]
    assert details == {"field": "label", "reason": "is odd"}


def test_details_are_cleaned_too() -> None:
    error = BadRequest("x", names=["a\x1b[31m", "b\tc"], nested={"k\x00": "\x7fv"}, n=3, none=None)
    details = load(MANAGED.failure(error))["error"]["details"]
    assert details == {"names": ["a[31m", "b c"], "nested": {"k": "v"}, "n": 3, "none": None}


@pytest.mark.parametrize(
    ("method", "envelope"),
    [
        ("ping", LEGACY),
        ("managed.layout.create", MANAGED),
        ("managed.nonsense", MANAGED),
        ("managed", LEGACY),
        ("app.hello", APP),
    ],
)
def test_namespace_of_a_method(method: str, envelope: object) -> None:
    assert envelope_of(method) is envelope


@given(st.text(st.characters(), max_size=300))
def test_clean_text_has_no_control_bytes(text: str) -> None:
    cleaned = clean_text(text)
    assert not any(ord(c) < 0x20 or c == "\x7f" for c in cleaned)
    cleaned.encode()


def test_clean_text_turns_tab_and_newline_into_a_space_and_cuts() -> None:
    assert clean_text("a\tb\nc\r\x1bd") == "a b cd"
    assert len(clean_text("x" * 5000)) == MESSAGE_LIMIT
    assert clean_text("\udcff") == "?"
