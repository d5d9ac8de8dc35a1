"""The whole protocol as one JSON Schema document (2020-12), the same bytes at every run.

``$defs`` has, for each method, ``request:<method>``, ``success:<method>`` and
``failure:<method>``; for each code of a namespace ``error:<namespace>:<code>``; for each namespace
``refusal:<namespace>``, what is answered before a method is known; and the structs that they are
made of. The document itself fits any request.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from agenttower.protocol.app.version import VERSION
from agenttower.protocol.catalog import codes, declarations
from agenttower.protocol.declaration import Declaration
from agenttower.protocol.errors import (
    APP,
    FRAMING,
    LEGACY,
    MANAGED,
    NAMESPACES,
    SUMMARIES,
    codes_of,
    details_of,
    namespace_of,
)
from agenttower.protocol.refs import name_of
from agenttower.protocol.shapes import Schema, schemas_of

TOKEN = "app_session_token"
MESSAGE_LIMIT = 2048
"""Characters of an error's message."""

_REFUSALS = {
    LEGACY: FRAMING,
    MANAGED: ("unknown_method",),
    APP: ("unknown_method", "malformed_request", "payload_too_large", "host_only"),
}


def document(method: str | None = None) -> Schema:
    """The document, or as much of it as one method needs.

    :raises KeyError: there is no such method.
    """
    wanted = declarations() if method is None else {method: declarations()[method]}
    everything = _definitions()
    requests = [f"request:{name}" for name in wanted]
    begins = [
        *requests,
        *(f"{kind}:{name}" for name in wanted for kind in ("success", "failure")),
        *(f"refusal:{namespace}" for namespace in NAMESPACES if method is None),
    ]
    needed = _reachable(begins, everything)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:agenttower:protocol:{VERSION}" + (f":{method}" if method else ""),
        "title": "The protocol of AgentTower's socket",
        "description": "A request is one JSON object on one line, and so is its answer.",
        "anyOf": [_ref(name) for name in requests],
        "methods": {name: _facts(declared) for name, declared in wanted.items()},
        "$defs": {name: schema for name, schema in everything.items() if name in needed},
    }


def text(method: str | None = None) -> str:
    """:func:`document` as it is published. :raises KeyError: there is no such method."""
    return json.dumps(document(method), indent=1, ensure_ascii=False) + "\n"


def _facts(declared: Declaration) -> Schema:
    name = declared.name
    return {
        "summary": declared.summary,
        "gate": declared.gate.name.lower(),
        "additive": declared.additive,
        "session": declared.session,
        "errors": list(codes_of(declared)),
        "request": _ref(f"request:{name}"),
        "success": _ref(f"success:{name}"),
        "failure": _ref(f"failure:{name}"),
    }


def _definitions() -> dict[str, Schema]:
    known = declarations()
    structs: list[type[msgspec.Struct]] = [
        struct for declared in known.values() for struct in (declared.params, declared.result)
    ]
    details = (details_of(code, name) for name in NAMESPACES for code in codes(name))
    structs += [struct for struct in details if struct is not None]
    shapes = schemas_of(structs)
    found: dict[str, Schema] = {}
    for declared in known.values():
        found[f"request:{declared.name}"] = _request(declared, shapes)
        found[f"success:{declared.name}"] = _success(declared)
        found[f"failure:{declared.name}"] = _failure(
            namespace_of(declared.name), codes_of(declared)
        )
    for namespace in NAMESPACES:
        found[f"refusal:{namespace}"] = _failure(namespace, _REFUSALS[namespace])
        for code in sorted({*codes(namespace), *_REFUSALS[namespace]}):
            found[f"error:{namespace}:{code}"] = _error(namespace, code)
    return found | shapes


def _request(declared: Declaration, shapes: dict[str, Schema]) -> Schema:
    shape = shapes[name_of(declared.params)]
    fields, required = dict(shape["properties"]), list(shape["required"])
    if declared.session:
        token = {"type": "string", "description": "the token that `app.hello` gave"}
        fields, required = {TOKEN: token} | fields, [TOKEN, *required]
    params: Schema = {"type": "object", "properties": fields, "required": required}
    if declared.refuses_unknown:
        params["additionalProperties"] = False
    return {
        "description": declared.summary,
        "type": "object",
        "properties": {"method": {"const": declared.name}, "params": params},
        "required": ["method", "params"] if required else ["method"],
    }


def _success(declared: Declaration) -> Schema:
    result = {"result": _ref(name_of(declared.result))}
    return _envelope(namespace_of(declared.name), ok=True, content=result)


def _failure(namespace: str, known: Iterable[str]) -> Schema:
    errors = [_ref(f"error:{namespace}:{code}") for code in sorted(known)]
    return _envelope(namespace, ok=False, content={"error": {"oneOf": errors}})


def _envelope(namespace: str, *, ok: bool, content: Schema) -> Schema:
    version = {"app_contract_version": {"const": VERSION}} if namespace == APP else {}
    fields = {"ok": {"const": ok}, **version, **content}
    return {"type": "object", "properties": fields, "required": list(fields)}


def _error(namespace: str, code: str) -> Schema:
    fields: Schema = {
        "code": {"const": code},
        "message": {"type": "string", "minLength": 1, "maxLength": MESSAGE_LIMIT},
    }
    details = details_of(code, namespace)
    if details is not None:
        fields["details"] = _ref(name_of(details))
    return {
        "description": SUMMARIES[code],
        "type": "object",
        "properties": fields,
        "required": list(fields),
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _reachable(begins: Iterable[str], definitions: dict[str, Schema]) -> set[str]:
    found: set[str] = set()
    waiting = list(begins)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _references(definitions[name])
    return found


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"].removeprefix("#/$defs/")
        for part in value.values():
            yield from _references(part)
    elif isinstance(value, list):
        for part in value:
            yield from _references(part)
