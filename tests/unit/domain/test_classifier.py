"""The catalogue of legacy surfaces part 2, section 1.6: outcomes that are required, and traps."""

from __future__ import annotations

import re

import pytest

from agenttower.domain.agent_events import AGENT_EVENT_TYPES
from agenttower.domain.classifier import BUILT_IN, Rule, RuleSet
from agenttower.domain.records import readable, split_records

RULES = RuleSet()

SWARM = (
    "AGENTTOWER_SWARM_MEMBER parent=agt_0123456789ab pane=%3 label=w1 capability=test"
    " purpose=runs the tests"
)


@pytest.mark.parametrize(
    ("line", "event_type"),
    [
        ("Error: pytest test_x failed in setup", "error"),
        ("Traceback (most recent call last):", "error"),
        ("MANUAL_REVIEW: Error: foo", "manual_review_needed"),
        ("=== 12 passed in 1.34s ===", "test_passed"),
        ("FAILED tests/test_x.py::test_y - assertion", "test_failed"),
        ("AGENTTOWER_SWARM_MEMBER parent=agt_x", "activity"),
        ("running tests…", "activity"),
        (">>> ", "waiting_for_input"),
        ("Build succeeded", "completed"),
        (SWARM, "swarm_member_reported"),
        # the notes
        ("TODO(human) look at this", "manual_review_needed"),
        ("see TODO(human): and that", "manual_review_needed"),
        ("MANUAL_REVIEWER", "activity"),
        ("ERROR tests/a.py::b", "error"),
        ("ERRORS tests/a.py::b", "activity"),
        ("x >>>", "activity"),
        ("some text> ", "activity"),
        ("> ", "waiting_for_input"),
        ("Overwrite? [Y/n] ", "waiting_for_input"),
        ("Go on (yes/no)", "waiting_for_input"),
        ("Overwrite? [y/n]", "activity"),
        ("all tests passed", "test_passed"),
        ("3 tests failed", "test_failed"),
        ("FAIL", "test_failed"),
        ("FAILURE", "activity"),
        ("error: lower case", "activity"),
        ("Exception in thread", "error"),
        (f" {SWARM}", "activity"),
        (f"{SWARM}{'x' * 256}", "activity"),
        ("", "activity"),
    ],
)
def test_outcomes(line: str, event_type: str) -> None:
    assert RULES.classify(line).event_type == event_type


def test_the_catalogue_is_whole() -> None:
    assert [(rule.priority, rule.rule_id) for rule in RULES.rules] == [
        (10, "swarm_member.v1"),
        (20, "manual_review.v1"),
        (30, "error.traceback.v1"),
        (31, "error.line.v1"),
        (40, "test_failed.pytest.v1"),
        (41, "test_failed.generic.v1"),
        (50, "test_passed.pytest.v1"),
        (51, "test_passed.generic.v1"),
        (60, "completed.v1"),
        (70, "waiting_for_input.v1"),
        (999, "activity.fallback.v1"),
    ]
    for rule in BUILT_IN:
        assert re.fullmatch(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)?\.v[0-9]+", rule.rule_id)
        assert rule.event_type in AGENT_EVENT_TYPES


def test_an_added_rule_takes_its_place_by_priority() -> None:
    rules = RuleSet([Rule("retry.v1", "activity", 29, re.compile("retrying$"))])
    assert rules.classify("Error: x, retrying").rule_id == "retry.v1"
    found = [finding.rule.rule_id for finding in rules.findings("Error: x, retrying")]
    assert found == ["retry.v1", "error.line.v1", "activity.fallback.v1"]


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        ("plain\r", "plain"),
        ("\x1b[1;32mgreen\x1b[0m text", "green text"),
        ("\x1b]0;a title\x07shown", "shown"),
        (" 10%\r 50%\r100%", "100%"),
        ("100%\r   \r", "100%"),
        ("bell\x07 and\x08 more\x00", "bell and more"),
        ("tab\tstays", "tab\tstays"),
        ("\x9b31mc1", "c1"),
        ("sk-abcdefghijkl\x07mnopqrstuvwxyz", "<redacted:openai-key>"),
        ("$ use sk-abcdefghij \rklmnopqrstuvwxyz", "$ use <redacted:openai-key>"),
        ("\r\r", ""),
    ],
)
def test_lines_are_what_a_person_sees(raw: str, line: str) -> None:
    assert readable(raw) == line


def pieces(data: bytes, cap: int) -> list[str]:
    return [record.text for record in split_records(data, 0, cap, continued=False)]


def test_a_progress_bar_is_cut_between_its_pictures() -> None:
    bar = b"".join(b"\r%3d%% of it" % number for number in range(100))
    shown = pieces(bar, 64)
    assert len(shown) > 10
    assert all(re.fullmatch(r"\s*\d+% of it", text) for text in shown)


def test_a_secret_that_is_cut_in_two_shows_neither_half() -> None:
    secret = b"sk-abcdefghijklmnopqrstuvwxyz0123456789"
    for lead in range(10, 60):
        data = b"x" * lead + b" " + secret + b" end\n"
        for text in pieces(data, 64):
            assert not re.search(r"[a-w]{6}|345678", text.replace("<redacted:openai-key>", "")), (
                lead,
                text,
            )


def test_characters_are_not_cut() -> None:
    for cap in range(8, 30):
        assert "\ufffd" not in "".join(pieces("ä😀…".encode() * 40, cap))
