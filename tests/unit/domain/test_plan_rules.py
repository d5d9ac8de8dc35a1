"""FR-001, FR-002, FR-003: from a template to the panes of a layout."""

from __future__ import annotations

import pytest

from agenttower.domain import templates
from agenttower.domain.templates import BUILTIN_TEMPLATES, Template, TemplatePane, plan
from agenttower.errors import ValidationFailed


def made_of(*patterns: str) -> Template:
    return Template("t", tuple(TemplatePane("slave", "worker", pattern) for pattern in patterns))


def labels(template: Template, session: str = "work", label_prefix: str = "") -> list[str]:
    return [pane.label for pane in plan(template, session=session, label_prefix=label_prefix)]


def refusal(template: Template, **arguments: object) -> ValidationFailed:
    with pytest.raises(ValidationFailed) as caught:
        plan(template, **{"session": "work", **arguments})  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("1m+2s", ["master:m1", "slave:s1", "slave:s2"]),
        ("2m+2s", ["master:m1", "master:m2", "slave:s1", "slave:s2"]),
    ],
)
def test_built_in_templates(name: str, expected: list[str]) -> None:
    panes = plan(BUILTIN_TEMPLATES[name], session="work")
    assert [f"{pane.role}:{pane.label}" for pane in panes] == expected
    assert [pane.slot for pane in panes] == list(range(len(expected)))
    assert all(
        pane.capability == ("orchestrator" if pane.role == "master" else "worker") for pane in panes
    )
    assert {pane.profile_name for pane in panes} == {None}


def test_ordinals_count_within_a_pattern_in_template_order() -> None:
    assert labels(made_of("a{ordinal}", "b{ordinal}", "a{ordinal}", "c", "a{ordinal}")) == [
        "a1",
        "b1",
        "a2",
        "c",
        "a3",
    ]


def test_session_and_prefix_are_put_in() -> None:
    assert labels(made_of("{session}-{ordinal}", "x"), "pr.17", "p-") == ["p-pr.17-1", "p-x"]


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("", "empty"),
        ("{slot}", "unknown placeholder at position 1"),
        ("s{ordinal:02d}", "unknown placeholder at position 2"),
        ("s{", "unknown placeholder"),
        ("}", "unknown placeholder"),
        ("{{ordinal}}", "unknown placeholder"),
        ("{Ordinal}", "unknown placeholder"),
        ("s {ordinal}", "' ' at position 2"),
        ("s\n", "position 2"),
        ("é", "xe9"),
        ("x" * 64 + "{ordinal}", "more than 64"),
        ("{ordinal}" * 100, "900 characters"),
    ],
)
def test_bad_patterns_are_named(pattern: str, reason: str) -> None:
    problem = templates.pattern_problem(pattern)
    assert problem is not None
    assert reason in problem
    refused = refusal(made_of("ok", pattern))
    assert refused.details == {"field": "template.panes[1].label_pattern", "reason": problem}


@pytest.mark.parametrize(
    ("pattern", "session", "prefix", "field"),
    [
        ("x" * 60, "work", "12345", "label_prefix"),
        ("x" * 60 + "{session}", "12345", "", "tmux_session_name"),
        ("{session}", "w" * 60, "12345", "label_prefix"),
        ("ok", "work", "p q", "label_prefix"),
        ("ok", "a:b", "", "tmux_session_name"),
        ("ok", "work", "p" * 63, "label_prefix"),
    ],
)
def test_a_bad_label_is_blamed_on_what_makes_it_so(
    pattern: str, session: str, prefix: str, field: str
) -> None:
    refused = refusal(made_of(pattern), session=session, label_prefix=prefix)
    assert refused.details["field"] == field


def test_a_label_too_long_by_its_ordinal_is_the_patterns_fault() -> None:
    refused = refusal(made_of(*["x" * 63 + "{ordinal}"] * 10))
    assert refused.details["field"] == "template.panes[9].label_pattern"


def test_labels_of_exactly_64_characters_pass() -> None:
    assert labels(made_of("x" * 60), label_prefix="1234") == ["1234" + "x" * 60]


def test_equal_labels_in_one_layout_are_refused() -> None:
    refused = refusal(made_of("a1", "b", "a{ordinal}"))
    assert refused.details["field"] == "template.panes[2].label_pattern"
    assert "panes 0 and 2" in refused.message


def test_labels_that_are_equal_for_this_session_only() -> None:
    template = made_of("{session}-a", "work-a")
    assert templates.label_clash(["{session}-a", "work-a"]) is None
    assert labels(template, "other") == ["other-a", "work-a"]
    assert refusal(template).details["field"] == "template.panes[1].label_pattern"


def test_label_clash_names_both_places() -> None:
    assert templates.label_clash(["x", "{session}", "y", "{session}"]) == (1, 3)
    assert templates.label_clash(["s{ordinal}", "s{ordinal}", "s2"]) == (1, 2)


def test_overrides_replace_default_profiles() -> None:
    template = Template(
        "t",
        (
            TemplatePane("master", "orchestrator", "m1", "claude"),
            TemplatePane("slave", "worker", "s1", "codex"),
        ),
    )
    panes = plan(template, session="w", overrides={"slave:s1": "shell"})
    assert [pane.profile_name for pane in panes] == ["claude", "shell"]


@pytest.mark.parametrize("key", ["slave:s2", "slave:x-s2"])
def test_override_keys_may_leave_the_prefix_out(key: str) -> None:
    panes = plan(
        BUILTIN_TEMPLATES["1m+2s"], session="w", label_prefix="x-", overrides={key: "shell"}
    )
    assert [pane.profile_name for pane in panes] == [None, None, "shell"]


def test_a_key_that_fits_two_panes_means_the_full_label() -> None:
    panes = plan(made_of("1", "s1"), session="w", label_prefix="s", overrides={"slave:s1": "p"})
    assert [(pane.label, pane.profile_name) for pane in panes] == [("s1", "p"), ("ss1", None)]


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ({"slave:s3": "p"}, "known: master:x-m1, slave:x-s1, slave:x-s2"),
        ({"master:s1": "p"}, "names no pane"),
        ({"slave:S1": "p"}, "names no pane"),
        ({"slave:s1": "p", "slave:x-s1": "p"}, "another key names already"),
        ({"s1": "p"}, "<role>:<label>"),
        ({"slave:s 1": "p"}, "the label in key"),
    ],
)
def test_bad_overrides_are_refused(overrides: dict[str, str], reason: str) -> None:
    refused = refusal(BUILTIN_TEMPLATES["1m+2s"], label_prefix="x-", overrides=overrides)
    assert refused.details["field"] == "launch_command_overrides"
    assert reason in refused.message


@pytest.mark.parametrize("role", ["master", "slave", "swarm", "test-runner", "shell", "unknown"])
def test_known_roles(role: str) -> None:
    assert templates.role_problem(role) is None


@pytest.mark.parametrize("role", ["", "Master", "boss", "master\n"])
def test_other_roles(role: str) -> None:
    assert "one of master, slave" in str(templates.role_problem(role))


@pytest.mark.parametrize(
    ("capability", "good"),
    [("worker", True), ("9-lives", True), ("a" * 64, True), ("a" * 65, False), ("-a", False),
     ("A", False), ("", False), ("a\n", False), ("a_b", False)],
)  # fmt: skip
def test_capabilities(capability: str, good: bool) -> None:
    assert (templates.capability_problem(capability) is None) == good


@pytest.mark.parametrize(
    ("name", "good"),
    [("1m+2s", True), ("claude code", True), ("é", True), ("", False), ("a\n", False),
     (" a", False), ("a\u202e", False), ("x" * 65, False), ("\ud800", False)],
)  # fmt: skip
def test_names_of_templates_and_profiles(name: str, good: bool) -> None:
    assert (templates.name_problem(name) is None) == good
