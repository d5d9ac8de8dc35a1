"""Rules of operators: what is refused and where, and that nothing is ever replaced."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from agenttower.domain.classifier import BUILT_IN
from agenttower.services.folder import FileProblem
from agenttower.services.rule_files import RuleBook, RuleFile, read_rules

RULE = "  - {{id: {id}, event_type: {type}, priority: {priority}, pattern: {pattern}{more}}}\n"


def file(
    path: Path,
    *,
    name: str = "own",
    id: str = "own.v1",  # noqa: A002
    type: str = "error",  # noqa: A002
    priority: str = "5",
    pattern: str = "oops",
    more: str = "",
) -> Path:
    rule = RULE.format(id=id, type=type, priority=priority, pattern=pattern, more=more)
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"name: {name}\nrules:\n{rule}")
    return path


def test_a_rule_is_tried_in_its_place(tmp_path: Path) -> None:
    file(tmp_path / "rules/a.yaml", pattern="'retry [0-9]+'", type="activity", priority="29")
    rules = RuleBook(tmp_path / "rules").rules()
    assert rules.classify("Error: retry 5").rule_id == "own.v1"
    assert rules.classify("Error: retry").rule_id == "error.line.v1"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": "Own.v1"}, "id: must look like"),
        ({"id": "own"}, "id: must look like"),
        ({"id": "error.line.v1"}, "is built in"),
        ({"type": "pane_exited"}, "is none of"),
        ({"type": "swarm_member_reported"}, "is none of"),
        ({"type": "happy"}, "is none of"),
        ({"priority": "0"}, "1 to 998"),
        ({"priority": "999"}, "1 to 998"),
        ({"priority": "'5'"}, "whole number"),
        ({"priority": "30"}, "is that of a built-in rule"),
        ({"pattern": "'(?=x)'"}, "invalid perl operator"),
        ({"pattern": "'(x)\\1'"}, "invalid escape"),
        ({"pattern": "'['"}, "missing ]"),
        ({"pattern": "''"}, "1 to 1024"),
        ({"pattern": "x" * 1025}, "1 to 1024"),
        ({"pattern": "'" + "(a{1000})" * 90 + "'"}, "pattern:"),
        ({"pattern": "5"}, "must be a string"),
        ({"more": ", ignore_case: maybe"}, "true or false"),
        ({"more": ", matches: [nothing]"}, "matches: the pattern does not match"),
        ({"more": ", ignores: [oops]"}, "ignores: the pattern does match"),
        ({"more": ", matches: oops"}, "a list of lines"),
        ({"more": ", colour: red"}, "unknown key"),
    ],
)
def test_what_is_refused_names_the_line(
    tmp_path: Path, changes: dict[str, str], reason: str
) -> None:
    problem = read_rules(file(tmp_path / "a.yaml", **changes))
    assert isinstance(problem, FileProblem)
    assert reason in problem.reason
    assert problem.line == 3


def test_two_rules_of_one_file_may_not_share_a_priority(tmp_path: Path) -> None:
    path = file(tmp_path / "a.yaml")
    with path.open("a") as more:
        more.write(RULE.format(id="two.v1", type="error", priority="5", pattern="x", more=""))
    problem = read_rules(path)
    assert isinstance(problem, FileProblem)
    assert (problem.line, "both must be its own" in problem.reason) == (4, True)


def test_case_is_ignored_where_that_is_asked_for(tmp_path: Path) -> None:
    path = file(tmp_path / "a.yaml", more=", ignore_case: true, matches: [OOPS, oops]")
    assert isinstance(read_rules(path), RuleFile)


def test_clashes_between_files_leave_the_later_rule_out(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    file(folder / "a.yaml", name="a")
    file(folder / "b.yaml", name="b", id="other.v1")
    file(folder / "c.yaml", name="c", priority="6")
    file(folder / "d.yaml", name="d", id="fine.v1", priority="7")
    book = RuleBook(folder)
    assert [rule.rule_id for rule in book.rules().rules[:3]] == [
        "own.v1",
        "fine.v1",
        "swarm_member.v1",
    ]
    assert [Path(problem.path).name for problem in book.problems()] == ["b.yaml", "c.yaml"]


def test_files_come_and_go_and_break(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    book = RuleBook(folder)
    assert len(book.rules().rules) == len(BUILT_IN)
    file(folder / "a.yaml")
    assert len(book.rules().rules) == len(BUILT_IN) + 1
    (folder / "a.yaml").write_text("name: [")
    assert len(book.rules().rules) == len(BUILT_IN)
    assert len(book.problems()) == 1
    (folder / "a.yaml").unlink()
    assert book.problems() == []


def test_no_pattern_is_slow_on_a_hostile_line(tmp_path: Path) -> None:
    file(tmp_path / "rules/a.yaml", pattern="'^(a+)+(a|aa)*(.*)*b$'")
    rules = RuleBook(tmp_path / "rules").rules()
    start = time.process_time()
    assert rules.classify("a" * 65_536).event_type == "activity"
    assert time.process_time() - start < 10
