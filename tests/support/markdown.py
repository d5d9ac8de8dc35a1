"""As much of Markdown as the tests of the documentation need: headings, links, tables, blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_SPAN = re.compile(r"`([^`]+)`")

Row = tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """A fenced block; ``kind`` is what stands behind the fence."""

    kind: str
    text: str


@dataclass(frozen=True)
class Table:
    """A table: the heading above it, its header, its rows."""

    section: str
    header: Row
    rows: tuple[Row, ...]


class Document:
    """One Markdown file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text(encoding="utf-8")

    @cached_property
    def blocks(self) -> list[Block]:
        return [Block(*match.groups()) for match in _FENCE.finditer(self.text)]

    @cached_property
    def prose(self) -> str:
        """The text without fenced blocks."""
        return _FENCE.sub("", self.text)

    @cached_property
    def spans(self) -> list[str]:
        """Inline code, line breaks in it as blanks."""
        return [" ".join(span.split()) for span in _SPAN.findall(self.prose)]

    @cached_property
    def links(self) -> list[str]:
        return _LINK.findall(self.prose)

    @cached_property
    def anchors(self) -> set[str]:
        """What ``#…`` can point to, as forges make it of headings."""
        names = (heading for _, heading in _HEADING.findall(self.prose))
        return {re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-") for name in names}

    @cached_property
    def tables(self) -> list[Table]:
        found: list[Table] = []
        section = ""
        rows: list[Row] = []
        for line in [*self.prose.splitlines(), ""]:
            heading = _HEADING.match(line)
            if line.startswith("|"):
                rows.append(tuple(cell.strip() for cell in line.strip("|").split("|")))
            elif rows:
                found.append(Table(section, rows[0], tuple(rows[2:])))
                rows = []
            if heading:
                section = heading[2].strip("`")
        return found

    def table(self, *header: str, section: str | None = None) -> Table:
        """The one table whose header begins so, in a section if one is given."""
        fitting = [
            table
            for table in self.tables
            if table.header[: len(header)] == header and section in (None, table.section)
        ]
        assert len(fitting) == 1, f"{self.path.name}: {len(fitting)} tables begin with {header}"
        return fitting[0]


def codes(cell: str) -> list[str]:
    """The inline code in a cell."""
    return _SPAN.findall(cell)
