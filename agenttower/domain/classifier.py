"""What a line of output says: rules tried in order, the first that is found wins.

The catalogue is that of legacy surfaces part 2, section 1.6. Operators add rules of their own
(:mod:`agenttower.services.rule_files`); they never replace one. A rule sees nothing but the
redacted line: no clock, no state.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from agenttower.domain.agent_events import ACTIVITY, SWARM_MEMBER


class Pattern(Protocol):
    """A compiled regular expression, of whichever library."""

    def search(self, text: str, /) -> Any:
        """A match with ``start()`` and ``end()``, or ``None``."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; smaller ``priority`` is tried first.

    ``parts`` and ``begins`` spare the pattern most lines: a match is only possible where one of
    ``parts`` occurs, the line in small letters, or where the line begins with one of ``begins``.
    With neither, every line is searched.
    """

    rule_id: str
    event_type: str
    priority: int
    pattern: Pattern
    parts: tuple[str, ...] = ()
    begins: tuple[str, ...] = ()
    source: str = "built in"

    def find(self, line: str, lowered: str) -> Any:
        """The match in this line, or ``None``; ``lowered`` is the line in small letters."""
        if self.begins:
            return self.pattern.search(line) if line.startswith(self.begins) else None
        if self.parts:
            for part in self.parts:
                if part in lowered:
                    return self.pattern.search(line)
            return None
        return self.pattern.search(line)


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule and the piece of the line in which it was found, for people who test rules."""

    rule: Rule
    start: int
    end: int


FALLBACK: Final = Rule("activity.fallback.v1", ACTIVITY, 999, re.compile(r"^.*$", re.DOTALL))
"""Every line says at least that something is going on."""

BUILT_IN: Final = (
    Rule(
        "swarm_member.v1",
        SWARM_MEMBER,
        10,
        re.compile(
            r"^AGENTTOWER_SWARM_MEMBER parent=(?P<parent>agt_[0-9a-f]{12}) pane=(?P<pane>%[0-9]+)"
            r" label=(?P<label>[^\s]+) capability=(?P<capability>[^\s]+)"
            r" purpose=(?P<purpose>.{1,256})$",
            re.ASCII,
        ),
        begins=("AGENTTOWER_SWARM_MEMBER ",),
    ),
    Rule(
        "manual_review.v1",
        "manual_review_needed",
        20,
        # The contract's word boundary behind TODO(human) would hold before a letter only.
        re.compile(r"(?:^|\s)(?:(?:MANUAL[_-]REVIEW|REVIEW[_-]REQUIRED)\b|TODO\(human\))"),
        parts=("manual", "review", "todo(human)"),
    ),
    Rule(
        "error.traceback.v1",
        "error",
        30,
        re.compile(r"^Traceback \(most recent call last\):"),
        begins=("Traceback (",),
    ),
    Rule(
        "error.line.v1",
        "error",
        31,
        re.compile(r"^(?:Error|ERROR|Exception)[: ]"),
        begins=("Error", "ERROR", "Exception"),
    ),
    Rule(
        "test_failed.pytest.v1",
        "test_failed",
        40,
        re.compile(r"^(?:FAILED|ERROR) [^\s].*::.*$"),
        begins=("FAILED ", "ERROR "),
    ),
    Rule(
        "test_failed.generic.v1",
        "test_failed",
        41,
        re.compile(r"\b(?:test failed|tests failed|FAIL\b)"),
        parts=("fail",),
    ),
    Rule(
        "test_passed.pytest.v1",
        "test_passed",
        50,
        re.compile(r"^=+ \d+ passed( in [\d.]+s)? =+$"),
        begins=("=",),
    ),
    Rule(
        "test_passed.generic.v1",
        "test_passed",
        51,
        re.compile(r"\b(?:all tests passed|tests passed)\b"),
        parts=("tests passed",),
    ),
    Rule(
        "completed.v1",
        "completed",
        60,
        re.compile(
            r"(?:^|\s)(?:DONE|completed successfully|task completed|build succeeded)\b",
            re.IGNORECASE,
        ),
        parts=("done", "completed", "build succeeded"),
    ),
    Rule(
        "waiting_for_input.v1",
        "waiting_for_input",
        70,
        re.compile(
            r"(?:^|\n)(?:.*\?\s*$|.* \[Y/n\]\s*$|.* \(yes/no\)\s*$|>>>\s*$|>\s+$|Continue\?\s*$)"
        ),
        parts=("?", "[y/n]", "(yes/no)", ">"),
    ),
    FALLBACK,
)
"""The catalogue, by priority."""

PRIORITIES_TAKEN: Final = frozenset(rule.priority for rule in BUILT_IN)


class RuleSet:
    """The rules in force. Immutable."""

    def __init__(self, added: Iterable[Rule] = ()) -> None:
        """:param added: besides the catalogue; ids and priorities must be free."""
        self.rules: Sequence[Rule] = tuple(
            sorted((*BUILT_IN, *added), key=lambda rule: rule.priority)
        )
        self._tried = tuple(rule for rule in self.rules if rule is not FALLBACK)

    def classify(self, line: str) -> Rule:
        """The rule that decides what this line says.

        :param line: redacted, without escapes and without its newline.
        """
        lowered = line.lower()
        for rule in self._tried:
            if rule.find(line, lowered) is not None:
                return rule
        return FALLBACK

    def findings(self, line: str) -> list[Finding]:
        """Every rule that is found in the line, the deciding one first."""
        lowered = line.lower()
        found = ((rule, rule.find(line, lowered)) for rule in self.rules)
        return [Finding(rule, match.start(), match.end()) for rule, match in found if match]
