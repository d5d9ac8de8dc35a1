"""JSON Schema of the structs that declarations are made of, under names that stay."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import inspect

from agenttower.protocol.refs import name_of

Schema = dict[str, Any]

_REF = "#/$defs/"
_CITED = re.compile(
    r"\s*\((?:legacy surfaces|app surface|managed\.md|sections?\b|FR-|SC-|R12|M\d)[^()]*\)|"
    r"^(?:Sections? [\d.]*\d|M\d)[.;:,]?\s*"
)
_ROLE = re.compile(r":\w+:`[~.\w]*?(\w+)`")


def schemas_of(structs: Iterable[type[msgspec.Struct]]) -> dict[str, Schema]:
    """The schema of each struct and of everything in them, by :func:`~.refs.name_of`, sorted."""
    found: dict[type[Any], None] = {}
    for struct in structs:
        _collect(inspect.type_info(struct), found)
    outer, components = msgspec.json.schema_components(found, schema_hook=_anything)
    # msgspec names a component by its class alone, and by its module only where two collide.
    names = {out["$ref"]: name_of(shape) for out, shape in zip(outer, found, strict=True)}
    told = {
        names[f"{_REF}{key}"]: _in_our_words(schema, names) for key, schema in components.items()
    }
    return dict(sorted(told.items()))


def _collect(info: Any, found: dict[type[Any], None]) -> None:
    """Every struct and enumeration in a type, also those that only :func:`one_of` names."""
    if isinstance(info, inspect.StructType | inspect.EnumType):
        if info.cls in found:
            return
        found[info.cls] = None
        for field in getattr(info, "fields", ()):
            _collect(field.type, found)
        return
    if isinstance(info, inspect.Metadata):
        for struct in (info.extra or {}).get("one_of", ()):
            _collect(inspect.type_info(struct), found)
        _collect(info.type, found)
    for part in ("item_type", "key_type", "value_type"):
        if hasattr(info, part):
            _collect(getattr(info, part), found)
    for part in (*getattr(info, "types", ()), *getattr(info, "item_types", ())):
        _collect(part, found)


def _anything(_: type) -> Schema:
    return {}


def _in_our_words(value: Any, names: dict[str, str]) -> Any:
    """References by our names, no titles, and descriptions for readers without our sources."""
    if isinstance(value, list):
        return [_in_our_words(part, names) for part in value]
    if not isinstance(value, dict):
        return value
    told: Schema = {}
    for key, part in value.items():
        if key == "$ref":
            told[key] = f"{_REF}{names[part]}" if part in names else part
        elif key == "description" and isinstance(part, str):
            if text := plain(part):
                told[key] = text
        elif key == "properties":
            told[key] = {name: _in_our_words(schema, names) for name, schema in part.items()}
        elif key != "title":
            told[key] = _in_our_words(part, names)
    return told


def plain(text: str) -> str:
    """A docstring as one line, in single backticks, without what it cites.

    >>> plain("A pane that was ``removed`` (managed.md section 3).")
    'A pane that was `removed`.'
    """
    unmarked = _ROLE.sub(r"`\1`", " ".join(text.split())).replace("``", "`")
    cleaned = _CITED.sub("", unmarked).strip()
    return cleaned[:1].upper() + cleaned[1:] if cleaned.endswith(".") else cleaned
