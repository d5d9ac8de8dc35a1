"""Rules that operators add to the classifier, from ``*.yaml`` in the rules folder.

Their patterns run in RE2, whose searches take time in proportion to the line: what a bench prints
must not be able to stop the reader, and no check of a pattern could promise that of a backtracking
engine (see the decision on it). So there are no look-arounds and no back-references.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agenttower.domain.agent_events import AGENT_EVENT_TYPES, SWARM_MEMBER, SYNTHETIC_RULES
from agenttower.domain.classifier import BUILT_IN, PRIORITIES_TAKEN, Rule, RuleSet
from agenttower.domain.records import readable
from agenttower.services.fields import fields_of, list_of, name_at, text_of
from agenttower.services.folder import FileProblem, Folder, load, problem_of
from agenttower.services.yamlfile import FileFault, Item, Odd, shorten

MAX_PATTERN = 1024
"""Characters of a pattern."""
MAX_PROGRAM_BYTES = 256 * 1024
"""What RE2 may use for one compiled pattern and its cache."""
MAX_RULES = 200
"""Rules of one file."""

TYPES = tuple(name for name in AGENT_EVENT_TYPES if name not in (*SYNTHETIC_RULES, SWARM_MEMBER))
"""What a rule may say. Some types follow from time, and one has a form that others read."""

_RULE_ID = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)?\.v[0-9]+")
_BUILT_IN_IDS = frozenset(rule.rule_id for rule in BUILT_IN)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RuleFile:
    """One file of rules."""

    name: str
    rules: tuple[Rule, ...]


class RuleBook:
    """The rules in force at this moment. Thread-safe; looks at the folder at every call."""

    def __init__(self, folder: Path) -> None:
        self._folder: Folder[RuleFile] = Folder(folder, rule_file_of, {})
        self._lock = threading.Lock()
        self._files: Mapping[str, RuleFile] | None = None
        self._rules = RuleSet()
        self._clashes: list[FileProblem] = []

    def rules(self) -> RuleSet:
        """The catalogue and what operators have added to it."""
        contents = self._folder.contents()
        with self._lock:
            if contents.found != self._files:
                self._files = contents.found
                self._rules, self._clashes = _combined(contents.found, contents.sources)
                for clash in self._clashes:
                    log.warning("%s", clash, extra={"action": "file_problem"})
            return self._rules

    def problems(self) -> list[FileProblem]:
        """Files and rules that were left out."""
        self.rules()
        return [*self._folder.contents().problems, *self._clashes]


def read_rules(path: Path) -> RuleFile | FileProblem:
    """One file of rules, wherever it is; for ``agenttower events test-rule FILE``."""
    try:
        return load(path, rule_file_of)
    except FileFault as fault:
        return problem_of(path, fault)


def rule_file_of(document: Item) -> RuleFile:
    """The rules in a document.

    :raises FileFault: with line and reason.
    """
    fields = fields_of(document, "a file of rules", required=("name", "rules"), optional=())
    name = name_at(fields["name"])
    items = list_of(fields["rules"], "rules", "a list of rules")
    if not 1 <= len(items) <= MAX_RULES:
        raise fields["rules"].fault(f"rules: must have 1 to {MAX_RULES}, not {len(items)}")
    rules: list[Rule] = []
    for item in items:
        rule = _rule(item, name)
        for other in rules:
            if other.rule_id == rule.rule_id or other.priority == rule.priority:
                raise item.fault(
                    f"{rule.rule_id} has the id or the priority of {other.rule_id}; both must be"
                    " its own"
                )
        rules.append(rule)
    return RuleFile(name, tuple(rules))


def _rule(item: Item, file: str) -> Rule:
    fields = fields_of(
        item,
        "a rule",
        required=("id", "event_type", "priority", "pattern"),
        optional=("ignore_case", "matches", "ignores"),
    )
    rule = Rule(
        rule_id=_rule_id(fields["id"]),
        event_type=_event_type(fields["event_type"]),
        priority=_priority(fields["priority"]),
        pattern=_pattern(fields["pattern"], _flag(fields.get("ignore_case"), "ignore_case")),
        source=file,
    )
    for key, wanted in (("matches", True), ("ignores", False)):
        for example in list_of(fields[key], key, "a list of lines") if key in fields else ():
            line = readable(text_of(example, key))
            if (rule.pattern.search(line) is not None) is not wanted:
                raise example.fault(
                    f"{key}: the pattern does {'not ' if wanted else ''}match {shorten(line)}"
                )
    return rule


def _rule_id(item: Item) -> str:
    rule_id = text_of(item, "id")
    if len(rule_id) > 64 or not _RULE_ID.fullmatch(rule_id):
        raise item.fault("id: must look like deploy_failed.v1 or deploy.failed.v1")
    if rule_id in _BUILT_IN_IDS:
        raise item.fault(f"id: {rule_id} is built in, and rules are only added")
    return rule_id


def _event_type(item: Item) -> str:
    event_type = text_of(item, "event_type")
    if event_type not in TYPES:
        raise item.fault(f"event_type: {shorten(event_type)} is none of {', '.join(TYPES)}")
    return event_type


def _priority(item: Item) -> int:
    wrong = item.fault("priority: must be a whole number from 1 to 998")
    if not isinstance(item.value, Odd):
        raise wrong
    try:
        priority = int(item.value.source)
    except ValueError:
        raise wrong from None
    if not 1 <= priority <= 998:
        raise wrong
    if priority in PRIORITIES_TAKEN:
        raise item.fault(f"priority: {priority} is that of a built-in rule; take the next free one")
    return priority


def _flag(item: Item | None, what: str) -> bool:
    if item is None:
        return False
    if not isinstance(item.value, Odd) or item.value.source.lower() not in ("true", "false"):
        raise item.fault(f"{what}: must be true or false")
    return item.value.source.lower() == "true"


def _pattern(item: Item, ignore_case: bool) -> Any:
    import re2  # only where somebody has rules of his own

    text = text_of(item, "pattern")
    if not 1 <= len(text) <= MAX_PATTERN:
        raise item.fault(f"pattern: must have 1 to {MAX_PATTERN} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_PROGRAM_BYTES
    options.case_sensitive = not ignore_case
    try:
        return re2.compile(text, options)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        reason = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise item.fault(
            f"pattern: {reason}; it must be a regular expression of RE2, which has no look-around"
            " and no back-reference"
        ) from None


def _combined(
    files: Mapping[str, RuleFile], sources: Mapping[str, str | None]
) -> tuple[RuleSet, list[FileProblem]]:
    """All rules together; of two with one id or one priority the first stands."""
    added: list[Rule] = []
    clashes: list[FileProblem] = []
    for name, file in files.items():
        for rule in file.rules:
            clash = _clash(rule, added)
            if clash is None:
                added.append(rule)
                continue
            clashes.append(
                FileProblem(
                    sources[name] or name,
                    None,
                    None,
                    f"rule {rule.rule_id} was left out: its id or priority is that of"
                    f" {clash.rule_id} in {clash.source!r}",
                    name,
                )
            )
    return RuleSet(added), clashes


def _clash(rule: Rule, others: Sequence[Rule]) -> Rule | None:
    for other in others:
        if other.rule_id == rule.rule_id or other.priority == rule.priority:
            return other
    return None
