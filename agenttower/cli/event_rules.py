"""``agenttower events rules`` and ``agenttower events test-rule``: the classifier's rules."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agenttower.cli.invocation import Invocation, pass_run
from agenttower.cli.options import json_option
from agenttower.cli.output import key
from agenttower.cli.text import safe
from agenttower.paths import default_paths

if TYPE_CHECKING:
    from agenttower.domain.classifier import Rule, RuleSet

RULE_COLUMNS = (
    key("PRIORITY", "priority"),
    key("RULE_ID", "rule_id"),
    key("EVENT_TYPE", "event_type"),
    key("SOURCE", "source"),
)
FINDING_COLUMNS = (
    key("LINE", "line"),
    key("TESTED", "tested"),
    key("DECIDES", "decides"),
    key("PRIORITY", "priority"),
    key("RULE_ID", "rule_id"),
    key("EVENT_TYPE", "event_type"),
    key("FOUND", "found"),
    key("TEXT", "text"),
)


@click.command("rules")
@json_option
@pass_run
def rules(run: Invocation) -> None:
    """List the rules by which output becomes events, in the order in which they are tried.

    Yours are read from the rules folder.

    \b
    Example:
      agenttower events rules
    """
    from agenttower.services.rule_files import RuleBook

    book = RuleBook(default_paths().rules_dir)
    rows = [_row(rule) for rule in book.rules().rules]
    problems = [str(problem) for problem in book.problems()]
    if run.output.json_mode:
        run.output.result({"rules": rows, "problems": problems})
        return
    run.output.rows(RULE_COLUMNS, rows)
    for problem in problems:
        run.output.note(safe(problem))


@click.command("test-rule")
@click.argument("rule", metavar="FILE|RULE")
@click.argument("text", required=False)
@json_option
@pass_run
def test_rule(run: Invocation, rule: str, text: str | None) -> None:
    """Show which rules are found in a line, and which of them decides.

    FILE is a file of rules, wherever it is; RULE the id of a rule that is in force. TEXT is one
    line, or - for the lines of standard input; without it a file's own examples are checked, and
    its rules are listed. Lines are redacted first, as the reader does. No daemon is needed.

    \b
    Examples:
      agenttower events test-rule deploys.yaml
      agenttower events test-rule deploys.yaml 'Deployment to staging failed'
      agenttower events test-rule error.line.v1 -
    """
    tested, together = _load(rule)
    if text is None:
        rows = [_row(one) for one in tested]
        if run.output.json_mode:
            run.output.result({"rules": rows})
        else:
            run.output.rows(RULE_COLUMNS, rows)
            run.output.note("the rules are fine, and so are their examples")
        return
    ids = {one.rule_id for one in tested}
    rows = [row for number, line in _lines(text) for row in _findings(together, ids, number, line)]
    if run.output.json_mode:
        run.output.result({"findings": rows})
    else:
        run.output.rows(FINDING_COLUMNS, rows)


def _load(name: str) -> tuple[list[Rule], RuleSet]:
    """The rules under test, and all that would be in force with them."""
    from agenttower.domain.classifier import FALLBACK, RuleSet
    from agenttower.errors import ValidationFailed
    from agenttower.services.folder import FileProblem
    from agenttower.services.rule_files import RuleBook, read_rules

    in_force = RuleBook(default_paths().rules_dir).rules()
    path = Path(name)
    if path.suffix not in (".yaml", ".yml") and not path.exists():
        tested = [rule for rule in in_force.rules if rule.rule_id == name]
        if not tested:
            raise ValidationFailed(
                "rule",
                f"{name[:80]!r} is no file and no rule in force; see 'agenttower events rules'",
            )
        return tested, in_force
    file = read_rules(path)
    if isinstance(file, FileProblem):
        raise ValidationFailed("file", str(file))
    taken = {rule.rule_id for rule in file.rules}, {rule.priority for rule in file.rules}
    others = [
        rule
        for rule in in_force.rules
        if rule.source != FALLBACK.source
        and rule.rule_id not in taken[0]
        and rule.priority not in taken[1]
    ]
    return list(file.rules), RuleSet([*file.rules, *others])


def _lines(text: str) -> Iterator[tuple[int, str]]:
    if text != "-":
        yield 1, text
        return
    # As bytes: what agents print is not always UTF-8.
    for number, line in enumerate(sys.stdin.buffer, start=1):
        yield number, line.removesuffix(b"\n").decode("utf-8", "replace")


def _findings(rule_set: RuleSet, tested: set[str], number: int, raw: str) -> Iterator[Any]:
    from agenttower.domain.records import readable

    line = readable(raw)
    for place, finding in enumerate(rule_set.findings(line)):
        yield {
            "line": number,
            "tested": finding.rule.rule_id in tested,
            "decides": place == 0,
            "priority": finding.rule.priority,
            "rule_id": finding.rule.rule_id,
            "event_type": finding.rule.event_type,
            "found": line[finding.start : finding.end],
            "text": line,
        }


def _row(rule: Rule) -> dict[str, object]:
    return {
        "priority": rule.priority,
        "rule_id": rule.rule_id,
        "event_type": rule.event_type,
        "source": rule.source,
    }
