"""From bytes to events: nothing is skipped, seen twice, or dependent on how it was read."""

from __future__ import annotations

import re
import time

from hypothesis import given
from hypothesis import strategies as st

from agenttower.domain.agent_events import AGENT_EVENT_TYPES, AgentEvent
from agenttower.domain.classifier import BUILT_IN, FALLBACK, RuleSet
from agenttower.domain.debounce import Batch, collapse, pack_window, unpack_window
from agenttower.domain.records import (
    Record,
    cut_excerpt,
    is_cut_inside,
    readable,
    split_records,
)
from agenttower.domain.redaction import redact_text

RULES = RuleSet()
SPAN = 5_000_000
MARKER = "…[truncated]"

SECRETS = (
    "sk-abcdefghijklmnopqrstuvwxyz",
    "ghp_abcdefghijklmnopqrstuvwxyz0123",
    "github_pat_abcdefghijklmnopqrstuvwxyz",
    "AKIAABCDEFGHIJKLMNOP",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
)
PIECES = st.sampled_from(
    [
        b"Error: x",
        b"FAILED a::b",
        b"DONE",
        b"working",
        b"Go on?",
        b"\n",
        b"\n",
        b"\r\n",
        b"\r",
        b" 10%\r",
        b" \r",
        b"\x1b[31m",
        b"\x1b]0;title\x07",
        "ä…😀".encode(),
        b"\xff\xfe",
        b"\x80\x80\x80",
        b"",
    ]
)
OUTPUT = st.lists(PIECES | st.binary(max_size=8), max_size=60).map(b"".join)
CAPS = st.integers(8, 40)


def follow(data: bytes, growth: list[int], cap: int) -> tuple[list[Record], list[AgentEvent]]:
    """Read a file that grows step by step, as the reader does, all in one moment."""
    records: list[Record] = []
    events: list[AgentEvent] = []
    window, offset, line = None, 0, 0
    for size in [*sorted(min(step, len(data)) for step in growth), len(data)]:
        while True:
            piece = data[offset : min(size, offset + cap)]
            before = data[max(0, offset - 1) : offset]
            found = list(split_records(piece, offset, cap, continued=is_cut_inside(before)))
            if not found:
                break
            batch = Batch("atc_1", found, line, 1)
            outcome = collapse(batch, window, SPAN, RULES.classify, lambda text: text)
            # What is stored between two visits is all that the next one knows.
            window = unpack_window(pack_window(outcome.window))
            events += outcome.events
            line, offset = outcome.line_offset, found[-1].end
            records += found
    return records, [*events, *([window] if window else [])]


@given(OUTPUT, st.lists(st.integers(0, 400), max_size=8), CAPS)
def test_records_tile_the_file(data: bytes, growth: list[int], cap: int) -> None:
    records, _ = follow(data, growth, cap)
    position = 0
    for record in records:
        assert record.start == position < record.end
        position = record.end
    rest = data[position:]
    assert b"\n" not in rest
    assert len(rest) < cap
    assert sum(record.whole for record in records) == data.count(b"\n")


@given(OUTPUT, st.lists(st.integers(0, 400), max_size=8), CAPS)
def test_how_the_file_came_to_be_does_not_matter(data: bytes, growth: list[int], cap: int) -> None:
    assert follow(data, growth, cap) == follow(data, [], cap)


@given(OUTPUT, CAPS)
def test_every_record_is_told_once(data: bytes, cap: int) -> None:
    records, events = follow(data, [], cap)
    assert sum(event.window.count if event.window else 1 for event in events) == len(records)
    told = [(event.byte_start, event.byte_end) for event in events if event.window is None]
    assert told == sorted(told)
    assert set(told) <= {(record.start, record.end) for record in records}
    assert all(event.event_type in AGENT_EVENT_TYPES for event in events)


@given(st.lists(st.tuples(st.integers(0, 9_000_000), st.integers(1, 5)), min_size=1, max_size=30))
def test_windows_never_last_longer_and_lose_nothing(visits: list[tuple[int, int]]) -> None:
    now = position = 0
    window, told = None, []
    for pause, lines in visits:
        now += pause
        records = [Record(position + n, position + n + 1, "x", True) for n in range(lines)]
        position += lines
        outcome = collapse(Batch("a", records, 0, now), window, SPAN, RULES.classify, str)
        told += outcome.events
        window = outcome.window
    told += [window] if window else []
    assert sum(event.window.count for event in told if event.window) == position
    edges = [0, *(event.byte_end for event in told)]
    assert [event.byte_start for event in told] == edges[:-1]
    for event in told:
        assert event.window is not None
        assert event.observed_at - event.window.started_at < SPAN


@given(st.text(), st.sampled_from(SECRETS), st.text(), st.integers(0, 5))
def test_no_secret_passes_for_being_painted(
    before: str, secret: str, after: str, cut_at: int
) -> None:
    painted = f"{secret[:cut_at]}\x1b[32m{secret[cut_at:]}"
    line = readable(f"{before} {painted} {after}".replace("\n", " "))
    assert secret not in line


@given(st.text())
def test_what_is_classified_is_redacted_and_plain(text: str) -> None:
    line = readable(text.replace("\n", " "))
    assert redact_text(line) == line
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", line)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(14, 60))
def test_excerpts_fit_and_hold_whole_characters(text: str, cap: int) -> None:
    excerpt = cut_excerpt(text, cap, MARKER)
    assert len(excerpt.encode()) <= cap
    if excerpt != text:
        assert excerpt.endswith(MARKER)
        assert text.startswith(excerpt.removesuffix(MARKER))
        assert len(text.encode()) > cap


@given(st.text() | st.sampled_from(["FAILED a::b", "tests passed", "x >>>", "> ", "Error "]))
def test_what_spares_a_pattern_never_changes_the_outcome(line: str) -> None:
    plain = next(rule for rule in BUILT_IN if rule.pattern.search(line))
    assert RULES.classify(line) is plain


HOSTILE = (
    "?" * 65_536,
    "? " * 32_768 + "x",
    ">" + " " * 65_534 + "x",
    "=" * 65_536,
    "= 1 passed in " + "1." * 32_000 + " =",
    "FAILED " + "x::" * 21_000 + "\r",
    "DONE" * 16_384,
    "completed successfull" * 3_000,
    "AGENTTOWER_SWARM_MEMBER parent=agt_0123456789ab pane=%1 label=" + "x" * 65_000,
    "MANUAL_REVIE" * 5_000,
    "A_" * 30_000 + "TOKEN",
    "eyJ" + "a." * 30_000,
    "sk-" * 20_000,
    "\x1b[" * 30_000,
    "\x1b]" * 30_000,
    " \r" * 30_000,
    "Bearer " * 9_000,
)


def test_hostile_lines_are_quick() -> None:
    """Time in proportion to the line: these take milliseconds, and minutes where it is squared."""
    start = time.process_time()
    for line in HOSTILE:
        RULES.classify(readable(line))
    assert time.process_time() - start < 20


def test_the_fallback_matches_everything() -> None:
    for line in ("", "x", "a\tb", "\u2028", "ä"):
        assert FALLBACK.pattern.search(line)
