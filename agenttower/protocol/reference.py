"""The reference page of the protocol, in Markdown, the same bytes at every run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping

from agenttower.protocol.catalog import codes, declarations
from agenttower.protocol.declaration import Declaration, Gate
from agenttower.protocol.errors import (
    APP,
    LEGACY,
    MANAGED,
    NAMESPACES,
    SUMMARIES,
    codes_of,
    namespace_of,
)
from agenttower.protocol.refs import name_of
from agenttower.protocol.schema import document
from agenttower.protocol.shapes import Schema
from agenttower.protocol.words import in_words, link

_TITLES = {
    LEGACY: "the older surfaces",
    MANAGED: "`managed.*`",
    APP: "`app.*`",
}
_INTRODUCTION = """\
# Protocol reference

Every method of the socket with its parameters, its answer and the codes that it may refuse with.
This page is made from the declarations that the daemon decodes requests by: nobody edits it,
`agenttower protocol reference` prints it. What the methods mean, and in which order they check, is
told in the [contract reference](contract.md). The same as one JSON Schema document is
[protocol.schema.json](protocol.schema.json), which `agenttower protocol schema` prints.

A parameter without a default must be given. What is *additive* is ours; the published contract does
not have it.
"""


def page() -> str:
    """The whole page."""
    definitions = document()["$defs"]
    shapes = {name: schema for name, schema in definitions.items() if ":" not in name}
    parts = [_INTRODUCTION, _gates()]
    for namespace in NAMESPACES:
        parts += _namespace(namespace, definitions)
    parts.append(_shapes(shapes))
    parts.append(_codes(definitions))
    return "\n".join(parts)


def _gates() -> str:
    rows = ((f"{gate.name.lower()}", gate.value) for gate in Gate)
    return "## Gates\n\n" + _table(("gate", "who may call"), rows)


def _namespace(namespace: str, definitions: Mapping[str, Schema]) -> Iterator[str]:
    known = [one for name, one in declarations().items() if namespace_of(name) == namespace]
    rows = ((link(one.name), one.gate.name.lower(), _purpose(one)) for one in known)
    yield f"## Methods: {_TITLES[namespace]}\n\n" + _table(("method", "gate", "what for"), rows)
    for one in known:
        yield _method(one, definitions)


def _purpose(declared: Declaration) -> str:
    return declared.summary + (" *Additive.*" if declared.additive else "")


def _method(declared: Declaration, definitions: Mapping[str, Schema]) -> str:
    params = definitions[f"request:{declared.name}"]["properties"]["params"]
    lines = [
        f"### `{declared.name}`",
        "",
        f"{_purpose(declared)} Gate: {declared.gate.name.lower()}.",
        "",
    ]
    if params["properties"]:
        rows = _parameters(params)
        lines.append(_table(("parameter", "type", "default", "meaning"), rows))
        lines += ["What is not named here is " + _unknown(declared), ""]
    else:
        lines += ["No parameters; what is given is ignored.", ""]
    lines += [f"Answers with {link(name_of(declared.result))}.", ""]
    lines += ["Codes: " + ", ".join(f"`{code}`" for code in codes_of(declared)) + ".", ""]
    return "\n".join(lines)


def _unknown(declared: Declaration) -> str:
    return "refused." if declared.refuses_unknown else "ignored."


def _parameters(params: Schema) -> Iterator[tuple[str, ...]]:
    for name, schema in params["properties"].items():
        default = "" if name in params["required"] else "none"
        if schema.get("default") is not None:
            default = f"`{json.dumps(schema['default'])}`"
        yield f"`{name}`", in_words(schema), default, schema.get("description", "")


def _shapes(shapes: Mapping[str, Schema]) -> str:
    lines = ["## Shapes", ""]
    for name, schema in shapes.items():
        lines += [f"### `{name}`", ""]
        if "description" in schema:
            lines += [schema["description"], ""]
        if "enum" in schema:
            lines += ["One of " + ", ".join(f"`{value}`" for value in schema["enum"]) + ".", ""]
        elif schema["properties"]:
            lines.append(_table(("member", "type", "meaning"), _members(schema)))
    return "\n".join(lines)


def _members(schema: Schema) -> Iterator[tuple[str, ...]]:
    for name, part in schema["properties"].items():
        optional = "" if name in schema["required"] else "may be left out"
        told = [text for text in (optional, part.get("description", "")) if text]
        yield f"`{name}`", in_words(part), "; ".join(told)


def _codes(definitions: Mapping[str, Schema]) -> str:
    rows = []
    for code, summary in SUMMARIES.items():
        homes = [name for name in NAMESPACES if code in codes(name)]
        rows.append((f"`{code}`", _details(code, homes, definitions), ", ".join(homes), summary))
    told = (
        "The older surfaces have no `details`; elsewhere `details` is always an object, and empty "
        "where none is named.\n\n"
    )
    return "## Codes\n\n" + told + _table(("code", "details", "where", "what it says"), rows)


def _details(code: str, homes: Iterable[str], definitions: Mapping[str, Schema]) -> str:
    found: dict[str, str] = {}
    for home in homes:
        fields = definitions[f"error:{home}:{code}"]["properties"]
        if "details" in fields:
            shape = definitions[fields["details"]["$ref"].removeprefix("#/$defs/")]
            names = (
                f"`{name}`" + ("" if name in shape["required"] else "?")
                for name in shape["properties"]
            )
            found[home] = ", ".join(names)
    told = dict.fromkeys(text for text in found.values() if text)
    if len(told) == 1 and all(found.values()):
        return next(iter(told))
    return "; ".join(f"{home}: {text}" for home, text in found.items() if text)


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for row in rows:
        cells = (re.sub(r"(?<!\\)\|", r"\\|", cell) for cell in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
