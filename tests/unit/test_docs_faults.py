"""The page of faults quotes the program: its reasons, codes, states and stages are the code's."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path

import pytest

from agenttower.domain.attention import AttentionKind
from agenttower.domain.events import EventType
from agenttower.domain.prompts import BlockReason, FailureReason
from agenttower.domain.route_decision import SkipReason
from agenttower.domain.states import Stage, State
from tests.support.markdown import Document, codes
from tests.unit.test_docs_contract import all_codes

ROOT = Path(__file__).parents[2]
FAULTS = Document(ROOT / "docs/faults.md")
HEADER = ("fault", "what you see", "by itself", "what to do")
SHORTEST = 2
"""A quoted piece that may begin in one string of the source and go on in another."""


def rows() -> list[tuple[str, ...]]:
    return [row for table in FAULTS.tables for row in table.rows]


@cache
def strings() -> frozenset[str]:
    """Every piece of text in the source, f-strings cut where something is put in."""
    found: set[str] = set()
    for top in ("agenttower", "workers"):
        for path in (ROOT / top).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found |= {
                node.value
                for node in ast.walk(tree)
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            }
    return frozenset(found)


def is_said(piece: str) -> bool:
    """Whether the source has this text, in one string or where two meet."""
    if any(piece in text for text in strings()):
        return True
    return any(
        any(text.endswith(piece[:cut]) for text in strings())
        and any(text.startswith(piece[cut:]) for text in strings())
        for cut in range(SHORTEST, len(piece) - SHORTEST + 1)
    )


def quotations() -> list[str]:
    """What stands in code style and is a sentence, not a command or a name."""
    spans = dict.fromkeys(span for row in rows() for cell in row for span in codes(cell))
    return [span for span in spans if "…" in span or re.search(r"\w{3,} \w+ \w+ \w+ ", span)]


def test_every_fault_says_what_is_seen() -> None:
    assert len(FAULTS.tables) > 8
    for table in FAULTS.tables:
        assert table.header == HEADER
        for row in table.rows:
            assert len(row) == len(HEADER), row
            assert row[0], table.section
            assert row[1], row[0]
            assert row[2] or row[3], f"{row[0]}: and then?"


def test_there_are_quotations() -> None:
    assert len(quotations()) > 20
    assert not is_said("the pane went on holiday")


@pytest.mark.parametrize("quotation", quotations())
def test_reasons_are_those_that_the_program_gives(quotation: str) -> None:
    for piece in quotation.split("…"):
        assert not piece.strip() or is_said(piece), piece


def test_codes_states_and_stages_exist() -> None:
    contract = Document(ROOT / "docs/contract.md")
    fields: set[str] = set()
    for block in contract.blocks:
        if block.kind.startswith("json "):
            fields |= set(re.findall(r'"(\w+)":', json.dumps(json.loads(block.text))))
    local = {code for row in contract.table("code", "when").rows for code in codes(row[0])}
    known = all_codes() | local | fields
    known |= {*map(str, Stage), *map(str, State), *map(str, EventType)}
    known |= {*map(str, AttentionKind), *map(str, SkipReason)}
    known |= {*map(str, BlockReason), *map(str, FailureReason)}
    for span in FAULTS.spans:
        if re.fullmatch(r"[a-z]+(_[a-z]+)+", span):
            assert span in known, span
