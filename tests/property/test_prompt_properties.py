"""Rules of prompts and of their submission, for whatever texts and screens there may be."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agenttower.domain.permissions import Role
from agenttower.domain.prompts import (
    ENVELOPE_LIMIT,
    NO_EXCERPT,
    BlockReason,
    Form,
    Identity,
    PromptState,
    Situation,
    block_reason,
    check_body,
    excerpt,
    headers,
    may_approve,
    may_change,
)
from agenttower.domain.submission import Look, Verdict, is_in_input, judge, tail_of
from agenttower.errors import BodyRefused

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\n\t"))
SITUATIONS = st.builds(
    Situation,
    routing_enabled=st.booleans(),
    target_active=st.booleans(),
    target_role=st.sampled_from(list(Role)),
    container_active=st.booleans(),
    pane_present=st.booleans(),
    sender_active=st.booleans(),
    sender_role=st.sampled_from(list(Role)),
)
IDENTITIES = st.builds(
    Identity,
    st.just("agt_000000000001"),
    st.text(),
    st.sampled_from(list(Role)),
    st.none() | st.text(),
)
STATES = st.sampled_from(list(PromptState))


@given(SITUATIONS)
def test_a_prompt_goes_exactly_when_every_check_passes(situation: Situation) -> None:
    goes = (
        situation.routing_enabled
        and situation.sender_active
        and situation.sender_role == "master"
        and situation.target_active
        and situation.target_role in ("slave", "swarm")
        and situation.container_active
        and situation.pane_present
    )
    assert (block_reason(situation) is None) is goes


@given(STATES, STATES, STATES)
def test_what_is_final_stays_and_nothing_becomes_itself(
    old: PromptState, new: PromptState, other: PromptState
) -> None:
    assert not may_change(old, old)
    if old.is_final:
        assert not may_change(old, new)
    if may_change(None, new):
        assert not new.is_final
    if may_change(PromptState.BLOCKED, other):
        assert other in (PromptState.QUEUED, PromptState.CANCELED)


@given(st.sampled_from(list(BlockReason)), st.booleans())
def test_who_may_be_approved(reason: BlockReason, enabled: bool) -> None:
    never = reason in ("sender_role_not_permitted", "target_role_not_permitted")
    switched = reason == "kill_switch_off" and not enabled
    assert may_approve(reason, routing_enabled=enabled) is not (never or switched)


@given(st.binary(max_size=200))
def test_an_accepted_body_cannot_drive_a_terminal(body: bytes) -> None:
    try:
        check_body(body)
    except BodyRefused:
        return
    text = body.decode("utf-8")
    assert text
    assert not any((c < " " and c not in "\t\n") or "\x7f" <= c <= "\x9f" for c in text), (
        "control characters"
    )


@given(TEXT)
def test_ordinary_text_is_accepted(text: str) -> None:
    assume(text)
    check_body(text.encode())


@given(st.integers(0, 400), st.integers(-300, 300))
def test_headers_count(head: int, over: int) -> None:
    size = ENVELOPE_LIMIT - head + over
    if over > 0:
        with pytest.raises(BodyRefused, match="delivered"):
            check_body(b"x" * size, b"h" * head)
    else:
        check_body(b"x" * size, b"h" * head)


@given(IDENTITIES, IDENTITIES)
def test_an_envelope_has_eight_lines_whatever_the_names_hold(
    sender: Identity, target: Identity
) -> None:
    assume(
        all(
            len((who.label + (who.capability or "")).encode("utf-8", "replace")) < 200
            for who in (sender, target)
        )
    )
    head = headers("m", sender, target, Form.ENVELOPE).decode()
    assert head.endswith("\n\n")
    assert [line.partition(":")[0] for line in head.split("\n")] == [
        "Message-Id", "From", "To", "Type", "Priority", "Requires-Reply", "", "",
    ]  # fmt: skip
    assert head.split("\n")[1].count('"') == 2
    check_body(b"x", headers("m", sender, target, Form.ENVELOPE))
    assert headers("m", sender, target, Form.PLAIN) == b""


@given(st.binary(max_size=1000))
def test_an_excerpt_is_one_short_line(body: bytes) -> None:
    line = excerpt(body)
    assert len(line) <= 241
    assert "\n" not in line
    assert line == " ".join(line.split())


def test_a_redactor_that_fails_shows_nothing() -> None:
    def broken(text: str) -> str:
        raise ValueError(text)

    assert excerpt(b"secret", broken) == NO_EXCERPT


# --- submission ----------------------------------------------------------------------------------


def screen(above: str, line: str, kind: str = "unknown", text: str = "") -> Look:
    """A program that writes ``above`` and has its cursor at the end of ``line``."""
    lines = [*above.split("\n"), line]
    wide = sum(2 if c > "\u1100" else 1 for c in line)
    return Look.of(lines, wide, len(lines) - 1, kind, text)


SIMPLE = st.text("abcdefgh \n漢", min_size=1, max_size=60).filter(lambda t: t.strip() != "")


@given(SIMPLE)
def test_an_echoing_reader_is_seen_to_take_a_text(text: str) -> None:
    assume(not text.endswith("\n"))
    before, tail = screen("$ cat", ""), tail_of(text.encode())
    above, _, last = f"$ cat\n{text}".rpartition("\n")
    pasted = screen(above, last)
    assert is_in_input(before, pasted, tail)
    assert judge(before, pasted, pasted, tail) is Verdict.STILL_THERE
    assert judge(before, pasted, screen(f"$ cat\n{text}", ""), tail) is Verdict.SUBMITTED


@given(SIMPLE)
def test_the_same_text_again_is_seen_again(text: str) -> None:
    assume(not text.endswith("\n"))
    before, tail = screen(f"$ cat\n{text}", ""), tail_of(text.encode())
    above, _, last = f"$ cat\n{text}\n{text}".rpartition("\n")
    pasted = screen(above, last)
    assert is_in_input(before, pasted, tail)
    after = screen(f"$ cat\n{text}\n{text}", "")
    assert judge(before, pasted, after, tail) is Verdict.SUBMITTED


@given(SIMPLE)
def test_a_silent_program_proves_nothing(text: str) -> None:
    still = screen("working", "")
    verdict = judge(still, still, still, tail_of(text.encode()))
    assert verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("kind", ["half_typed", "busy"])
def test_a_known_input_line_tells(kind: str) -> None:
    before = screen("hello", "> ", "ready")
    shown = "[Pasted text #1 +9 lines]"
    pasted = screen("hello", f"> {shown}", kind, shown)
    tail = tail_of(b"what was pasted")
    assert is_in_input(before, pasted, tail)
    assert judge(before, pasted, pasted, tail) is Verdict.STILL_THERE
    more = screen("hello", f"> {shown} more", kind, f"{shown} more")
    assert judge(before, pasted, more, tail) is Verdict.STILL_THERE
    for after in (screen("hello\nx", "> ", "ready"), screen("Do you?", "", "dialog", "Do you?")):
        assert judge(before, pasted, after, tail) is Verdict.SUBMITTED


def test_the_transcript_tells_where_the_input_was_not_seen() -> None:
    before, tail = screen("busy", ""), tail_of(b"do the thing")
    after = screen("busy\n> do the thing\ndone", "")
    assert judge(before, before, after, tail) is Verdict.SUBMITTED
