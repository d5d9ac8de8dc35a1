"""Two manners of checking ``params`` against their declared shape.

``managed.*`` is strict: an unknown key, a missing one or a wrong type is ``validation_failed`` with
the real field's name and a reason in plain words. Legacy methods ignore what they do not know and
answer ``bad_request``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, TypeVar, get_args

import msgspec

from agenttower.errors import BadRequest, ValidationFailed
from agenttower.rpc.method import Params

S = TypeVar("S", bound=msgspec.Struct)

_VALUE_SHOWN = 80


def strict(struct: type[S]) -> Callable[[Params], S]:
    """A decoder for ``managed.*``.

    It raises :class:`~agenttower.errors.ValidationFailed` for the first unknown key, else for the
    first field, in the order of the struct, that is missing or does not fit.
    """
    fields = msgspec.structs.fields(struct)
    known = [field.encode_name for field in fields]
    types = {field.encode_name: field.type for field in fields}
    nested = {name: strict(part) for name, wanted in types.items() for part in _closed(wanted)}

    def check(name: str, value: object) -> None:
        if name not in nested or not isinstance(value, dict):
            _check(name, value, types[name])
            return
        try:
            nested[name](value)
        except ValidationFailed as error:
            field = f"{name}.{error.details['field']}"
            raise ValidationFailed(field, str(error.details["reason"])) from error

    def decode(params: Params) -> S:
        for name in params:
            if name not in known:
                takes = ", ".join(known)
                raise ValidationFailed(_shown(name), f"is no parameter here; known are {takes}")
        for field in fields:
            if field.encode_name in params:
                check(field.encode_name, params[field.encode_name])
            elif field.required:
                raise ValidationFailed(field.encode_name, "is required and was not given")
        return msgspec.convert(params, struct)

    return decode


def lenient(struct: type[S]) -> Callable[[Params], S]:
    """A decoder for legacy methods: unknown keys are ignored, a wrong type is ``bad_request``."""
    fields = msgspec.structs.fields(struct)

    def decode(params: Params) -> S:
        try:
            for field in fields:
                if field.encode_name in params:
                    _check(field.encode_name, params[field.encode_name], field.type)
        except ValidationFailed as error:
            raise BadRequest(error.message) from error
        return msgspec.convert(params, struct)

    return decode


def _closed(wanted: Any) -> Iterator[type[msgspec.Struct]]:
    """The structs in a type that refuse what they do not know."""
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        if wanted.__struct_config__.forbid_unknown_fields:
            yield wanted
        return
    for part in get_args(wanted):
        yield from _closed(part)


def _check(name: str, value: object, wanted: object) -> None:
    try:
        msgspec.convert(value, type=wanted)
    except msgspec.ValidationError as error:
        raise ValidationFailed(name, _in_plain_words(str(error), value, wanted)) from error


_WORDS = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}
_COMPARISONS = {">=": "at least", "<=": "at most"}
_LENGTH = "of length "
_EXPECTED = re.compile(r"Expected `(?P<types>[^`]+)`(?:, got `(?P<got>\w+)`| (?P<rule>.+))")


def _in_plain_words(message: str, value: object, wanted: object) -> str:
    """msgspec's message, such as ``Expected `int` <= 200 - at `$[0]` ``, as a person says it."""
    message, _, place = message.partition(" - at ")
    entry = "every entry " if place else ""
    if message.startswith("Invalid enum value"):
        return f"{entry}must be one of {', '.join(_choices(wanted))}, not {_shown(value)}"
    match = _EXPECTED.fullmatch(message)
    if match is None:
        return f"{entry}does not fit: {message}"
    types = [_WORDS.get(word, word) for word in match["types"].split(" | ") if word != "null"]
    expected = f"{entry}must be {' or '.join(types)}"
    if match["got"]:
        return f"{expected}, not {_WORDS.get(match['got'], match['got'])}"
    rule = match["rule"].removeprefix(_LENGTH)
    comparison, _, bound = rule.partition(" ")
    limit = f"{_COMPARISONS.get(comparison, comparison)} {bound.removesuffix('.0')}"
    if rule == match["rule"]:
        return f"{expected} of {limit}"
    return f"{expected} of {limit} {'character' if bound == '1' else 'characters'}"


def _choices(wanted: object) -> list[str]:
    """The values of every enumeration in a type."""
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return [str(choice.value) for choice in wanted]
    return list(dict.fromkeys(c for part in get_args(wanted) for c in _choices(part)))


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _VALUE_SHOWN else f"{text[:_VALUE_SHOWN]}…"
