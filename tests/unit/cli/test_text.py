from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenttower.cli.text import age, milliseconds, safe, safe_json, short_id, width


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain ü 界", "plain ü 界"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\tb\nc\rd", "a\\tb\\nc\\rd"),
        ("\x00\x7f\x9b31m", "\\x00\\x7f\\x9b31m"),
        ("abc\u202edcba", "abc\\u202edcba"),
        ("\u2028\ud800", "\\u2028\\ud800"),
    ],
)
def test_safe_writes_out_what_a_terminal_could_obey(raw, shown):
    assert safe(raw) == shown


anything = st.text(st.characters())


@given(anything)
def test_safe_text_is_one_encodable_line_without_controls(text):
    shown = safe(text)
    shown.encode()
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in shown)
    assert len(shown.splitlines()) <= 1


@given(st.dictionaries(anything, anything | st.none() | st.integers() | st.lists(anything)))
def test_safe_json_is_the_same_value_in_harmless_characters(value):
    for indent in (None, 2):
        document = safe_json(json.dumps(value, ensure_ascii=False, indent=indent))
        document.encode()
        assert json.loads(document) == value
        assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in document.replace("\n", ""))


def test_width_counts_terminal_columns():
    assert [width(text) for text in ("abc", "界", "e\u0301", "")] == [3, 2, 1, 0]


@pytest.mark.parametrize(
    ("then", "shown"),
    [
        ("2026-05-06T18:01:30.000000+00:00", "4s"),
        ("2026-05-06T17:01:30+00:00", "1h"),
        ("2026-05-06T17:55:34+00:00", "6m"),
        ("2026-05-01T18:01:34+00:00", "5d"),
        ("2026-05-06T18:01:40+00:00", "0s"),
        (None, "-"),
        ("yesterday", "-"),
    ],
)
def test_age(then, shown):
    assert age(then, datetime(2026, 5, 6, 18, 1, 34, tzinfo=UTC)) == shown


def test_milliseconds():
    start, end = "2026-05-06T18:01:34.500000+00:00", "2026-05-06T18:01:34.512345+00:00"
    assert milliseconds(start, end) == 12
    assert milliseconds(end, start) == 0
    assert milliseconds(start, None) is None


def test_short_id_shortens_container_ids_only():
    assert short_id("ab" * 32) == "ab" * 6
    assert short_id("bench-1") == "bench-1"
