"""Every example works, and refers to nothing that is not there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from agenttower.domain.classifier import BUILT_IN
from agenttower.domain.templates import Template, plan
from agenttower.services.catalog import Catalog
from agenttower.services.rule_files import RuleBook

EXAMPLES = Path(__file__).parents[2] / "examples"
CATALOG = Catalog(EXAMPLES / "templates", EXAMPLES / "profiles")
OWN = {name: t for name, t in CATALOG.templates().items() if CATALOG.template_sources()[name]}


def test_there_are_no_problems_and_no_other_files() -> None:
    assert CATALOG.problems() == []
    assert len(OWN) == len(list((EXAMPLES / "templates").iterdir()))
    assert len(CATALOG.profiles()) == len(list((EXAMPLES / "profiles").iterdir()))


def test_rules_are_in_force_as_they_are() -> None:
    book = RuleBook(EXAMPLES / "rules")
    assert book.problems() == []
    assert len(book.rules().rules) > len(BUILT_IN)


@pytest.mark.parametrize("sources", [CATALOG.template_sources(), CATALOG.profile_sources()])
def test_files_are_called_what_they_define(sources: dict[str, str | None]) -> None:
    for name, source in sources.items():
        assert source is None or Path(source).stem == name


@pytest.mark.parametrize("template", OWN.values(), ids=OWN.keys())
def test_templates_can_be_planned_and_their_profiles_exist(template: Template) -> None:
    for pane in plan(template, session="work"):
        assert pane.profile_name is not None
        assert CATALOG.profile(pane.profile_name)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/*.yaml")), ids=lambda path: path.stem)
def test_examples_begin_by_saying_what_they_are_for(path: Path) -> None:
    assert path.read_text().startswith("# ")


def test_labels_that_a_comment_promises_are_those_that_are_made() -> None:
    promised = 0
    for name, template in OWN.items():
        text = (EXAMPLES / "templates" / f"{name}.yaml").read_text()
        for line in re.findall(r"^# labels: (.*)$", text, re.MULTILINE):
            assert line.split(", ") == [pane.label for pane in plan(template, session="work")]
            promised += 1
    assert promised >= 3


def test_the_readme_names_all_of_them() -> None:
    readme = (EXAMPLES / "README.md").read_text()
    for name in (*OWN, *CATALOG.profiles()):
        assert f"`{name}`" in readme


@pytest.mark.parametrize(
    ("profile", "says"), [("mock-master", "mock master on "), ("mock-slave", "mock slave on ")]
)
def test_mock_agents_greet_and_stay_as_a_shell(profile: str, says: str) -> None:
    run = subprocess.run(
        CATALOG.profile(profile).command,
        input="echo still here\n",
        env={"PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    greeting, answer = run.stdout.splitlines()
    assert greeting.startswith(says)
    assert answer == "still here"


def test_the_test_loop_runs_again_at_enter_and_ends_with_its_input(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("test:\n\t@echo tests ran; exit 1\n")
    run = subprocess.run(
        CATALOG.profile("test-loop").command,
        input="\n",
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert run.stdout.count("tests ran") == 2
    assert run.stdout.count("press Enter to run again") == 2
