"""YAML files written by operators, read so that nothing in them can hurt or surprise.

One document of mappings, lists and scalars, as a tree in which everything knows its line. Refused:
what is no regular file, too large, not UTF-8, too deep or blown up by aliases, duplicate keys,
tags, merge keys. YAML 1.1 reads ``on``, ``1.10`` or ``2026-01-01`` as something other than text;
such scalars stay what was written and carry the kind, so that the refusal can say "quote it".
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

MAX_BYTES = 256 * 1024
MAX_DEPTH = 16
MAX_NODES = 10_000
"""Counted after aliases are followed."""

_UNPRINTABLE = re.compile(
    "[^\x09\x0a\x0d\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)
_TAG = "tag:yaml.org,2002:"
_KINDS = {
    f"{_TAG}bool": "a boolean",
    f"{_TAG}int": "a number",
    f"{_TAG}float": "a number",
    f"{_TAG}null": "nothing",
    f"{_TAG}timestamp": "a date",
    f"{_TAG}value": "a special value",
    f"{_TAG}merge": "a merge key",
}


class FileFault(Exception):
    """A file cannot be used: why, and where (line and column from 1) as far as that is known.

    ``passing`` is set where the system failed and not the file: the next try may go well. ``name``
    is what the file defines, for whoever finds that out.
    """

    def __init__(
        self,
        reason: str,
        line: int | None = None,
        column: int | None = None,
        *,
        passing: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line
        self.column = column
        self.passing = passing
        self.name: str | None = None


@dataclass(frozen=True, slots=True)
class Odd:
    """A scalar that YAML does not take for text: its kind in words, and what was written."""

    kind: str
    source: str


@dataclass(frozen=True, slots=True)
class Item:
    """One value of the document and where it stands (from 1)."""

    value: str | Odd | tuple[Item, ...] | dict[str, Entry]
    line: int
    column: int

    @property
    def is_null(self) -> bool:
        return isinstance(self.value, Odd) and self.value.kind == _KINDS[f"{_TAG}null"]

    def fault(self, reason: str) -> FileFault:
        """An error at this place."""
        return FileFault(reason, self.line, self.column)


@dataclass(frozen=True, slots=True)
class Entry:
    """One ``key: value`` of a mapping."""

    key: Item
    value: Item


def read_yaml(path: Path) -> Item:
    """The one document in a file.

    :raises FileFault: and nothing else, whatever the path and the bytes are.
    """
    return parse_yaml(_read(path))


def parse_yaml(data: bytes) -> Item:
    """The one document in these bytes.

    :raises FileFault: and nothing else.
    """
    text = _decode(data)
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        raise _syntax_fault(error) from None
    except yaml.YAMLError as error:
        raise FileFault(f"is no YAML: {error}") from None
    except (ValueError, OverflowError):
        # PyYAML lets chr() fail on escapes such as "\UFFFFFFFF".
        line, column = loader.line + 1, loader.column + 1
        raise FileFault("is no YAML: an escape names no character", line, column) from None
    finally:
        loader.dispose()
    if root is None:
        raise FileFault("is empty", 1, 1)
    return _Converter().item(root, 1)


class _Loader(yaml.SafeLoader):
    """Builds nodes only, and stops before a hostile document costs much."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._count = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        self._depth += 1
        self._count += 1
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        _check_extent(self._depth, self._count, mark.line + 1, mark.column + 1)
        node: Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _Converter:
    """Turns nodes into items; counts again, because an alias stands for all that it names."""

    def __init__(self) -> None:
        self._count = 0

    def item(self, node: Node, depth: int) -> Item:
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        self._count += 1
        _check_extent(depth, self._count, line, column)
        if isinstance(node, ScalarNode):
            return Item(_scalar(node, line, column), line, column)
        if isinstance(node, SequenceNode) and node.tag == f"{_TAG}seq":
            return Item(tuple(self.item(child, depth + 1) for child in node.value), line, column)
        if isinstance(node, MappingNode) and node.tag == f"{_TAG}map":
            return Item(self._entries(node, depth), line, column)
        raise _tag_fault(line, column)

    def _entries(self, node: MappingNode, depth: int) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        for key_node, value_node in node.value:
            key = self.item(key_node, depth + 1)
            if not isinstance(key.value, str):
                raise key.fault(_key_problem(key))
            first = entries.get(key.value)
            if first is not None:
                raise key.fault(f"this key is given twice; first in line {first.key.line}")
            entries[key.value] = Entry(key, self.item(value_node, depth + 1))
        return entries


def _check_extent(depth: int, count: int, line: int, column: int) -> None:
    if depth > MAX_DEPTH:
        raise FileFault("is nested too deeply, or contains itself", line, column)
    if count > MAX_NODES:
        raise FileFault("holds too many values, counting what aliases stand for", line, column)


def _scalar(node: ScalarNode, line: int, column: int) -> str | Odd:
    if node.tag == f"{_TAG}str":
        value = str(node.value)
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise FileFault("an escape names half a character", line, column)
        return value
    kind = _KINDS.get(node.tag)
    if kind is None:
        raise _tag_fault(line, column)
    return Odd(kind, str(node.value))


def _tag_fault(line: int, column: int) -> FileFault:
    return FileFault(
        "tags ('!…') are not allowed; remove this one, or put the value in quotes", line, column
    )


def _key_problem(key: Item) -> str:
    if not isinstance(key.value, Odd):
        return "a key must be text, not a list or mapping"
    if key.value.kind == _KINDS[f"{_TAG}merge"]:
        return "merge keys ('<<') are not supported; write the keys out"
    if not key.value.source:
        return "a key is missing before ':'"
    return f"a key must be text, but YAML reads this one as {key.value.kind}; put it in quotes"


def shorten(text: str) -> str:
    """Foreign text for a message: in quotes, in ASCII, and not long."""
    return ascii(text if len(text) <= 60 else text[:57] + "...")


def _syntax_fault(error: yaml.MarkedYAMLError) -> FileFault:
    mark = error.problem_mark or error.context_mark
    problem = str(error.problem or error.context or "cannot be read")
    if "'\\t'" in problem:
        problem = "a tab cannot indent; use spaces"
    elif "single document" in str(error.context):
        problem = "more than one document; keep one, without '---' between"
    elif "alias" in problem or "anchor" in problem:
        # The library's words name it, and what begins with '*' or '&' may be a secret.
        problem = "an anchor or alias that does not fit; a value with '*' or '&' needs quotes"
    if mark is None:
        return FileFault(f"is no YAML: {problem}")
    return FileFault(f"is no YAML: {problem}", mark.line + 1, mark.column + 1)


def _decode(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise FileFault(f"is larger than {MAX_BYTES // 1024} KiB")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = _place(data[: error.start].decode("utf-8", "replace"))
        raise FileFault("is not UTF-8; save it as UTF-8", line, column) from None
    odd = _UNPRINTABLE.search(text)
    if odd:
        raise FileFault(f"control character {odd[0]!a}", *_place(text[: odd.start()]))
    return text


def _place(before: str) -> tuple[int, int]:
    """Line and column of what follows this text."""
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _read(path: Path) -> bytes:
    """At most one byte more than the limit, from a regular file only."""
    try:
        # Looked at before it is opened, because opening a device can have effects, and looked at
        # again afterwards, without blocking, because it may have become a FIFO meanwhile.
        _require_regular(os.stat(path))
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            _require_regular(os.fstat(descriptor))
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise FileFault(
            f"cannot be read: {error.strerror or 'unknown reason'}", passing=True
        ) from None
    except ValueError:
        raise FileFault("cannot be read: the path holds a NUL") from None


def _require_regular(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise FileFault("is a directory, not a file")
    if not stat.S_ISREG(status.st_mode):
        raise FileFault("is no regular file")
