"""From a method's published parameters to requests that must be refused, each for one reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agenttower.protocol.catalog import declarations
from agenttower.protocol.schema import TOKEN, document

Schema = dict[str, Any]

OF_EVERY_TYPE: tuple[Any, ...] = (None, True, 7, 1.5, "text", ["text"], {"key": "text"})
UNKNOWN = "no_such_parameter"


@dataclass(frozen=True)
class Fault:
    """Parameters of which one field is wrong."""

    method: str
    params: dict[str, Any]
    field: str
    kind: str
    """``missing``, ``type``, ``bound``, ``length``, ``set``, ``unknown``, or ``inside``: of an object
    that is a parameter, something is missing or has the wrong type."""
    sent: Any = None

    def __str__(self) -> str:
        return f"{self.field} {self.kind} {str(self.sent)[:30]!r}"


def parameters(method: str) -> Schema:
    """The published schema of a method's ``params``."""
    schema = _definitions()[f"request:{method}"]["properties"]["params"]
    assert isinstance(schema, dict)
    return schema


def sample(method: str, token: str | None = None) -> dict[str, Any]:
    """The least that has the right shape; it names nothing that there is."""
    given = _sample(parameters(method))
    assert isinstance(given, dict)
    return given if token is None or TOKEN not in given else given | {TOKEN: token}


def faults(method: str, token: str | None = None) -> Iterator[Fault]:
    """Every field of a method missing, of each wrong type, out of bounds, and out of its set."""
    schema = parameters(method)
    base = sample(method, token)
    for field, wanted in schema["properties"].items():
        if field == TOKEN:
            continue
        if field in schema["required"]:
            rest = {name: value for name, value in base.items() if name != field}
            yield Fault(method, rest, field, "missing")
        for kind, value in _wrong(wanted):
            yield Fault(method, base | {field: value}, field, kind, value)
    if declarations()[method].refuses_unknown:
        yield Fault(method, base | {UNKNOWN: 1}, UNKNOWN, "unknown")


def _wrong(schema: Schema) -> Iterator[tuple[str, Any]]:
    choices = list(_choices(schema))
    for value in OF_EVERY_TYPE:
        if not any(_is_of_type(value, choice) for choice in choices):
            yield "type", value
    for choice in choices:
        yield from _beyond(choice)
        if _type(choice) == "object":
            for value in _wrong_inside(choice):
                yield "inside", value
    texts = [choice for choice in choices if _type(choice) == "string"]
    if texts and all(_members(choice) for choice in texts):
        yield "set", "no-such-value"
    for choice in choices:
        items = choice.get("items")
        if items and len(choices) == 1 + _has_null(choices):
            yield "type", [["nested"]]
            if all(_members(one) for one in _choices(items)):
                yield "set", ["no-such-value"]


def _wrong_inside(choice: Schema) -> Iterator[dict[str, Any]]:
    """An object with one member missing, or of a wrong type."""
    whole = _sample(choice)
    for name, wanted in choice.get("properties", {}).items():
        if name in choice.get("required", ()):
            yield {key: value for key, value in whole.items() if key != name}
        for kind, value in _wrong(wanted):
            if kind == "type":
                yield whole | {name: value}


def _beyond(choice: Schema) -> Iterator[tuple[str, Any]]:
    if "minimum" in choice:
        yield "bound", choice["minimum"] - 1
    if "maximum" in choice:
        yield "bound", choice["maximum"] + 1
    if "exclusiveMinimum" in choice:
        yield "bound", choice["exclusiveMinimum"]
    if choice.get("minLength"):
        yield "length", ""
    if "maxLength" in choice:
        yield "length", "x" * (choice["maxLength"] + 1)


def _choices(schema: Schema) -> Iterator[Schema]:
    """The alternatives of a schema, references followed."""
    if "$ref" in schema:
        yield from _choices(_definitions()[schema["$ref"].removeprefix("#/$defs/")])
        return
    inner = schema.get("anyOf")
    if inner is None:
        yield schema
        return
    for part in inner:
        yield from _choices(part)


def _type(choice: Schema) -> str:
    members = _members(choice)
    return str(choice.get("type", "string" if members else "any"))


def _members(choice: Schema) -> list[Any]:
    if "const" in choice:
        return [choice["const"]]
    return list(choice.get("enum", ()))


def _has_null(choices: list[Schema]) -> bool:
    return any(_type(choice) == "null" for choice in choices)


def _is_of_type(value: Any, choice: Schema) -> bool:
    kind = _type(choice)
    if kind == "any":
        return True
    if isinstance(value, bool) or value is None:
        return kind == {True: "boolean", None: "null"}[value]
    names = {int: ("integer", "number"), float: ("number",), str: ("string",)}
    names |= {list: ("array",), dict: ("object",)}
    return kind in names[type(value)]


def _sample(schema: Schema) -> Any:
    choice = next(_choices(schema))
    members = _members(choice)
    if members:
        return members[0]
    match _type(choice):
        case "object":
            wanted = choice.get("properties", {})
            return {name: _sample(wanted[name]) for name in choice.get("required", ())}
        case "string":
            return "x" * max(1, choice.get("minLength", 1))
        case "integer" | "number":
            return max(choice.get("minimum", 1), 1)
        case "boolean":
            return False
        case "array":
            return []
    return None


def _definitions() -> dict[str, Any]:
    return _DOCUMENT["$defs"]  # type: ignore[no-any-return]


_DOCUMENT = document()
