"""The pieces that definition files are made of: keys, texts, lists, names."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from agenttower.domain import templates
from agenttower.services.yamlfile import Item, Odd, shorten


def name_of(document: Item) -> str | None:
    """The name a document gives itself, if that much of it can be used."""
    if not isinstance(document.value, dict) or "name" not in document.value:
        return None
    name = document.value["name"].value.value
    return name if isinstance(name, str) and templates.name_problem(name) is None else None


def fields_of(
    item: Item, what: str, *, required: Sequence[str], optional: Sequence[str]
) -> dict[str, Item]:
    """The values of a mapping by key, null ones of optional keys left out.

    :raises FileFault: a key is missing or unknown.
    """
    if not isinstance(item.value, dict):
        raise item.fault(f"{what} must be a mapping with the keys {', '.join(required)}")
    known = (*required, *optional)
    for key, entry in item.value.items():
        if key not in known:
            raise entry.key.fault(_unknown_key(key, known))
    missing = [key for key in required if key not in item.value]
    if missing:
        raise item.fault(f"{what} needs the key {missing[0]!r}")
    return {
        key: entry.value
        for key, entry in item.value.items()
        if key in required or not entry.value.is_null
    }


def _unknown_key(key: str, known: Sequence[str]) -> str:
    near = get_close_matches(key, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
    return f"unknown key {shorten(key)}; {hint}"


def text_of(item: Item, what: str) -> str:
    """A string.

    :raises FileFault: it is something else.
    """
    if isinstance(item.value, str):
        return item.value
    if not isinstance(item.value, Odd):
        raise item.fault(f"{what}: must be a string")
    if not item.value.source:
        raise item.fault(f'{what}: must be a string, but nothing stands here ("" is the empty one)')
    # Not what stands there: it may be a secret, and faults are shown and logged.
    raise item.fault(
        f"{what}: must be a string, but YAML reads this as {item.value.kind}; put it in quotes"
    )


def list_of(item: Item, what: str, expected: str) -> tuple[Item, ...]:
    """The items of a list.

    :raises FileFault: it is something else.
    """
    if not isinstance(item.value, tuple):
        raise item.fault(f"{what}: must be {expected}")
    return item.value


def name_at(item: Item) -> str:
    """The name that a definition gives itself.

    :raises FileFault: it is no name.
    """
    name = text_of(item, "name")
    problem = templates.name_problem(name)
    if problem:
        raise item.fault(f"name: {problem}")
    return name
