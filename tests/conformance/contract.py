"""The published schema with every object closed: what is answered and not declared does not fit."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema

from agenttower.protocol.catalog import declarations
from agenttower.protocol.errors import namespace_of
from agenttower.protocol.schema import document


def check_answer(method: str, answer: dict[str, Any]) -> None:
    """Hold a whole answer against what is published for the method, unknown or not."""
    if method not in declarations():
        _check(f"refusal:{namespace_of(method)}", answer)
    else:
        _check(f"{'success' if answer.get('ok') is True else 'failure'}:{method}", answer)


def check_line_refusal(answer: dict[str, Any]) -> None:
    """Hold the answer to a line that is no request against what is published."""
    _check("refusal:legacy", answer)


def _check(name: str, answer: dict[str, Any]) -> None:
    fault = jsonschema.exceptions.best_match(_validator(name).iter_errors(answer))
    assert fault is None, f"{name}: {fault.json_path} {fault.message[:300]}\nin {answer}"


@cache
def _validator(name: str) -> jsonschema.Draft202012Validator:
    schema = {"$ref": f"#/$defs/{name}", "$defs": _closed_definitions()}
    return jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


@cache
def _closed_definitions() -> dict[str, Any]:
    closed = _closed(document()["$defs"])
    assert isinstance(closed, dict)
    return closed


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    told = {key: _closed(part) for key, part in schema.items()}
    if schema.get("type") == "object" and isinstance(schema.get("properties"), dict):
        told.setdefault("additionalProperties", False)
    return told
