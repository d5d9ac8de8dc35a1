"""Names that the code cites are explained to those who do not have the documents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.markdown import Document, codes

ROOT = Path(__file__).parents[2]
SOURCES = Document(ROOT / "docs/sources.md")
LEGACY, QUEUES = "legacy surfaces", "legacy surfaces part 2"
CITED = re.compile(
    r"\b(?P<name>managed\.md|design\.md|tmux-channel\.md|app surface"
    r"|legacy(?: surfaces)?(?: part [12])?)"
    r",? (?:sections? )?(?P<sections>\d[\d.]*(?:(?:, (?:\d[\d.]*, )*\d[\d.]*)? and \d[\d.]*)?)",
    re.IGNORECASE,
)


def citations() -> Iterator[tuple[str, str, Path]]:
    """Document, first number of the section, and where it is cited."""
    for top in ("agenttower", "workers", "tests", "benchmarks"):
        for path in (ROOT / top).rglob("*.py"):
            text = re.sub(r"\s*\n[ #]*", " ", path.read_text(encoding="utf-8"))
            for found in CITED.finditer(text):
                name = found["name"].lower()
                if name.startswith("legacy"):
                    name = QUEUES if name.endswith("part 2") else LEGACY
                for section in re.findall(r"(\d+)(?:\.\d+)*", found["sections"]):
                    yield name, section, path


def test_every_citation_is_explained() -> None:
    told = {
        (codes(row[0])[0], section)
        for row in SOURCES.table("cited as", "section").rows
        for section in row[1].split(", ")
    }
    found = list(citations())
    assert len(found) > 30
    for name, section, path in found:
        assert (name, section) in told, path
    documents = {codes(row[0])[0] for row in SOURCES.table("name in the code").rows}
    assert documents == {name for name, _ in told}
