"""What a JSON Schema allows, as a person says it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from agenttower.protocol.shapes import Schema


def link(name: str) -> str:
    """A link to the section of the page that tells of a method or a shape."""
    anchor = re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-")
    return f"[`{name}`](#{anchor})"


def in_words(schema: Schema) -> str:
    """The values that fit.

    >>> in_words({"type": "integer", "minimum": 1, "maximum": 200})
    'integer, 1 to 200'
    """
    if "$ref" in schema:
        return link(schema["$ref"].removeprefix("#/$defs/"))
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return " or ".join(in_words(part) for part in schema[choice])
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    kind = schema.get("type", "")
    return _WORDS[kind](schema) if kind in _WORDS else kind or "anything"


def _string(schema: Schema) -> str:
    if schema.get("format") == "date-time":
        return "time"
    if "pattern" in schema:
        return f"string like `{schema['pattern']}`"
    length = _range(schema.get("minLength"), schema.get("maxLength"))
    return f"string, {length} characters" if length else "string"


def _number(schema: Schema) -> str:
    if "exclusiveMinimum" in schema:
        return f"{schema['type']}, more than {schema['exclusiveMinimum']}"
    bounds = _range(schema.get("minimum"), schema.get("maximum"))
    return f"{schema['type']}, {bounds}" if bounds else str(schema["type"])


def _array(schema: Schema) -> str:
    return f"list of {in_words(schema['items'])}" if schema.get("items") else "list"


def _object(schema: Schema) -> str:
    values = schema.get("additionalProperties")
    return f"object of {in_words(values)}" if isinstance(values, dict) and values else "object"


def _range(low: object, high: object) -> str:
    if low is not None and high is not None:
        return f"{low} to {high}"
    if low is not None:
        return f"at least {low}"
    return "" if high is None else f"at most {high}"


_WORDS: dict[str, Callable[[Schema], str]] = {
    "string": _string,
    "integer": _number,
    "number": _number,
    "array": _array,
    "object": _object,
}
