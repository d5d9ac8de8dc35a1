"""Labels and plans, for all templates that load (FR-003)."""

from __future__ import annotations

import string
from collections import Counter

from hypothesis import assume, given
from hypothesis import strategies as st

from agenttower.domain import templates
from agenttower.domain.identifiers import identifier_problem
from agenttower.domain.templates import PlannedPane, Template, TemplatePane, plan
from agenttower.errors import ValidationFailed

ALPHABET = string.ascii_letters + string.digits + "_.-"
PIECES = st.one_of(
    st.just("{ordinal}"), st.just("{session}"), st.text("ab1-", min_size=1, max_size=4)
)
PATTERNS = st.lists(PIECES, min_size=1, max_size=4).map("".join)
ANY_PATTERN = st.one_of(PATTERNS, st.text(ALPHABET + "{}ordinalsession é\n", max_size=80))
ROLES = st.sampled_from(["master", "slave", "swarm"])
NAMES = st.text(ALPHABET, min_size=1, max_size=64)


def template_of(patterns: st.SearchStrategy[str]) -> st.SearchStrategy[Template]:
    panes = st.builds(TemplatePane, ROLES, st.just("worker"), patterns, st.none() | st.just("p"))
    return st.lists(panes, min_size=1, max_size=12).map(lambda made: Template("t", tuple(made)))


TEMPLATES = template_of(PATTERNS)


def planned(
    template: Template, session: str, prefix: str
) -> tuple[PlannedPane, ...] | ValidationFailed:
    try:
        return plan(template, session=session, label_prefix=prefix)
    except ValidationFailed as refused:
        return refused


@given(template_of(ANY_PATTERN), NAMES, st.text(ALPHABET, max_size=40))
def test_a_plan_is_right_or_refused_by_name(template: Template, session: str, prefix: str) -> None:
    panes = planned(template, session, prefix)
    if isinstance(panes, ValidationFailed):
        field = str(panes.details["field"])
        assert field.startswith(("template.panes[", "label_prefix", "tmux_session_name"))
        return
    assert [pane.slot for pane in panes] == list(range(len(template.panes)))
    labels = [pane.label for pane in panes]
    assert len(set(labels)) == len(labels)
    for pane, source in zip(panes, template.panes, strict=True):
        assert identifier_problem(pane.label) is None
        assert pane.label.startswith(prefix)
        assert (pane.role, pane.capability) == (source.role, source.capability)
        assert pane.profile_name == source.default_launch_command_ref


@given(TEMPLATES, st.text(ALPHABET, min_size=1, max_size=5), st.text(ALPHABET, max_size=5))
def test_labels_restated(template: Template, session: str, prefix: str) -> None:
    seen: Counter[str] = Counter()
    expected = []
    for pane in template.panes:
        seen[pane.label_pattern] += 1
        pieces = pane.label_pattern.split("{ordinal}")
        expected.append(
            prefix
            + str(seen[pane.label_pattern]).join(
                session.join(piece.split("{session}")) for piece in pieces
            )
        )
    panes = planned(template, session, prefix)
    if isinstance(panes, ValidationFailed):
        assert len(set(expected)) < len(expected) or max(map(len, expected)) > 64
    else:
        assert [pane.label for pane in panes] == expected
        assert planned(template, session, prefix) == panes


@given(TEMPLATES, st.data())
def test_overrides_touch_their_pane_alone(template: Template, data: st.DataObject) -> None:
    panes = planned(template, "w", "x-")
    assume(isinstance(panes, tuple))
    assert isinstance(panes, tuple)
    chosen = data.draw(st.sets(st.sampled_from(panes)))
    overrides = {f"{pane.role}:{pane.label}": f"own-{pane.slot}" for pane in chosen}
    changed = plan(template, session="w", label_prefix="x-", overrides=overrides)
    for before, after in zip(panes, changed, strict=True):
        expected = f"own-{before.slot}" if before in chosen else before.profile_name
        assert after.profile_name == expected
        assert (after.label, after.role) == (before.label, before.role)


@given(st.lists(PATTERNS, max_size=8), st.text(string.ascii_letters, min_size=1, max_size=3))
def test_a_clash_found_at_load_is_one_for_every_session(patterns: list[str], session: str) -> None:
    clash = templates.label_clash(patterns)
    if clash is None:
        return
    first, second = clash
    template = Template("t", tuple(TemplatePane("slave", "w", pattern) for pattern in patterns))
    assert first < second
    assert isinstance(planned(template, session, ""), ValidationFailed)
