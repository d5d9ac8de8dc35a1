"""Checking ``params`` of ``app.*``: the first field that does not fit is ``validation_failed``.

Unknown fields are ignored (section 4), unless the struct forbids them. A ``reason`` names a rule
and never shows a value (section 2).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

import msgspec

from agenttower.errors import ValidationFailed
from agenttower.protocol.declaration import Params

S = TypeVar("S", bound=msgspec.Struct)

TOKEN = "app_session_token"

_LENGTH = re.compile(r"Expected `\w+` of length (?P<sign>[<>]=) (?P<bound>\d+)")
_RANGE = re.compile(r"Expected `\w+` (?P<sign>[<>]=?) (?P<bound>\S+)")
_TYPE = re.compile(r"Expected `(?P<types>[^`]+)`, got `\w+`")
_MUST_BE = {
    "str": "must be a string",
    "int": "must be an integer",
    "float": "must be a number",
    "bool": "must be a boolean",
    "object": "must be an object",
    "array": "must be a list",
}


def app_params(struct: type[S]) -> Callable[[Params], S]:
    """A decoder for ``params``, the session token set aside.

    The decoder raises :class:`~agenttower.errors.ValidationFailed` for the first field, in the
    order of the struct, that is missing or does not fit.
    """
    fields = msgspec.structs.fields(struct)
    strict = struct.__struct_config__.forbid_unknown_fields
    known = {field.encode_name for field in fields} | {TOKEN}

    def decode(params: Params) -> S:
        given = {
            field.encode_name: params[field.encode_name]
            for field in fields
            if field.encode_name in params
        }
        for name in params if strict else ():
            if name not in known:
                raise ValidationFailed(name[:64], "field not accepted")
        for field in fields:
            if field.encode_name in given:
                check(field.encode_name, given[field.encode_name], field.type)
            elif field.required:
                raise ValidationFailed(field.encode_name, "missing")
        return msgspec.convert(given, struct)

    return decode


def check(name: str, value: object, wanted: object) -> None:
    """Refuse a value that is not of a type. :raises ValidationFailed: naming ``name``."""
    try:
        msgspec.convert(value, type=wanted)
    except msgspec.ValidationError as error:
        place = str(error).partition(" - at `$")[2].rstrip("`")
        raise ValidationFailed(name + place, reason_of(str(error))) from error


def reason_of(message: str) -> str:
    """msgspec's message as a rule, without the value.

    >>> reason_of("Expected `str` of length <= 128")
    'max length 128'
    """
    text = message.partition(" - at ")[0]
    if text.startswith("Invalid enum value"):
        return "unknown value"
    if match := _LENGTH.fullmatch(text):
        return _length(match["sign"], int(match["bound"]))
    if match := _TYPE.fullmatch(text):
        names = [name for name in match["types"].split(" | ") if name != "null"]
        return _MUST_BE.get(names[0], "wrong type") if len(names) == 1 else "wrong type"
    if match := _RANGE.fullmatch(text):
        return f"must be {match['sign']} {match['bound']}"
    if text.startswith("Object missing required field"):
        return "missing"
    return "unknown field" if text.startswith("Object contains unknown field") else "does not fit"


def _length(sign: str, bound: int) -> str:
    if sign == "<=":
        return f"max length {bound}"
    return "must not be empty" if bound == 1 else f"min length {bound}"
