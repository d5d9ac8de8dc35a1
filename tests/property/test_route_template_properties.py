"""Templates: one pass, nothing scanned twice, nothing to be had but our own fields."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agenttower.domain.prompts import check_body
from agenttower.domain.route_decision import (
    AgentFacts,
    EventFacts,
    Matched,
    Registry,
    RenderProblem,
    Skipped,
    SkipReason,
    decide,
)
from agenttower.domain.route_rules import Rule
from agenttower.domain.route_template import FIELDS, MissingField, Template, parse_template
from agenttower.errors import RouteTemplateInvalid

LITERAL = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)
ANY_TEXT = st.text(max_size=60)
PIECES = st.lists(st.one_of(LITERAL, st.sampled_from(FIELDS).map("\0{}".format)), max_size=12)
"""Literal text, and fields marked by a NUL."""


def written(pieces: list[str]) -> str:
    return "".join(
        f"{{{piece[1:]}}}" if piece[:1] == "\0" else piece.replace("{", "{{").replace("}", "}}")
        for piece in pieces
    )


@given(
    PIECES.filter(lambda pieces: any(pieces)),
    st.fixed_dictionaries(dict.fromkeys(FIELDS, ANY_TEXT)),
)
def test_text_is_literals_and_values_and_nothing_else(
    pieces: list[str], values: dict[str, str]
) -> None:
    """Values hold braces and names of fields, and come out as they went in."""
    expected = "".join(values[p[1:]] if p[:1] == "\0" else p for p in pieces)
    assert parse_template(written(pieces)).render(values) == expected


@given(
    st.lists(st.sampled_from(["{event_id}", "{{event_id}}", "{", "}", "{0}", "{x!r}"]), min_size=8)
)
def test_what_an_agent_printed_is_never_read_as_a_template(printed: list[str]) -> None:
    said = "".join(printed)
    values = dict.fromkeys(FIELDS, said)
    assert parse_template("{event_excerpt}|{source_label}").render(values) == f"{said}|{said}"


@given(ANY_TEXT)
@example("{event_id!r}")
@example("{event_id.__class__}")
@example("{event_id[0]}")
@example("{event_id:>10}")
@example("{0}")
@example("{}")
@example("{ event_id }")
@example("{")
@example("}")
@example("}}}")
@example("{{{event_id}")
@example("{event_id}}")
@example("{EVENT_ID}")
@example("{event_id{event_id}}")
@example("a\rb")
@example("\ud800")
def test_a_text_is_refused_or_is_made_of_our_fields_only(text: str) -> None:
    try:
        template = parse_template(text)
    except RouteTemplateInvalid:
        return
    assert template.fields <= set(FIELDS)
    marks = {name: f"<{name}>" for name in FIELDS}
    rendered = template.render(marks)
    # Undo: doubling the braces and putting the fields back gives what was written.
    undone = rendered.replace("{", "{{").replace("}", "}}")
    for name, mark in marks.items():
        if name in template.fields and mark not in text:
            undone = undone.replace(mark, f"{{{name}}}")
    if not any(mark in text for mark in marks.values()):
        assert undone == text


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_without_a_value_is_named(name: str) -> None:
    with pytest.raises(MissingField, match=name):
        parse_template(f"a {{{name}}}").render({n: "x" for n in FIELDS if n != name})


def test_only_the_whole_template_counts_for_its_size() -> None:
    assert isinstance(parse_template("ä" * 2048), Template)
    with pytest.raises(RouteTemplateInvalid, match="4097 bytes"):
        parse_template("ä" * 2048 + "x")


AGENT_TEXT = st.text(max_size=20)


@given(
    PIECES.filter(lambda pieces: any(pieces)),
    AGENT_TEXT,
    st.sampled_from(["", "codex"]),
    st.one_of(ANY_TEXT, st.just("x" * 300)),
    st.booleans(),
)
def test_every_accepted_template_gives_a_prompt_or_a_reason_of_the_closed_set(
    pieces: list[str], label: str, capability: str, said: str, known: bool
) -> None:
    """So no route can stall on one event."""
    try:
        parse_template(written(pieces))
    except RouteTemplateInvalid:
        return  # over 4 KiB
    rule = Rule("error", "any", None, "explicit", "agt_00000000000b", "auto", None, written(pieces))
    source = AgentFacts("agt_00000000000c", label, "slave", capability, True, "c")
    agents = Registry(
        [
            AgentFacts("agt_00000000000a", "m", "master", "claude", True, "c"),
            AgentFacts("agt_00000000000b", "s", "slave", "claude", True, "c"),
            *([source] if known else []),
        ]
    )
    event = EventFacts(7, "error", source.agent_id, "c", said, "2026-11-20T12:00:00.000000+00:00")
    outcome = decide(rule, event, agents)
    if isinstance(outcome, Skipped):
        assert outcome.reason is SkipReason.TEMPLATE_RENDER_ERROR
        assert outcome.sub_reason in RenderProblem
        return
    assert isinstance(outcome, Matched)
    check_body(outcome.text.encode())
