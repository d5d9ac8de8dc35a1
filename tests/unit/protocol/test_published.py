"""The reference page and the JSON Schema document are those of the declarations."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import msgspec
import pytest

from agenttower.protocol import reference, schema
from agenttower.protocol.catalog import declarations
from agenttower.protocol.shapes import plain
from agenttower.protocol.words import in_words

ROOT = Path(__file__).parents[3]
DOCUMENT = schema.document()


@pytest.mark.parametrize(
    ("file", "made", "command"),
    [
        ("protocol.schema.json", schema.text, "schema"),
        ("protocol.md", reference.page, "reference"),
    ],
)
def test_what_is_committed_is_current(file: str, made: object, command: str) -> None:
    assert callable(made)
    committed = (ROOT / "docs" / file).read_text(encoding="utf-8")
    assert committed == made(), f"run: agenttower protocol {command} --output docs/{file}"


def test_it_is_the_same_in_another_process() -> None:
    """Nothing in it hangs on the order of a set, or on which modules were imported first."""
    program = "import agenttower.protocol.app.errors; from agenttower.protocol import schema; "
    run = subprocess.run(
        [sys.executable, "-c", program + "print(schema.text(), end='')"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"PYTHONHASHSEED": "7"},
    )
    assert run.stdout == schema.text()


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(DOCUMENT)
    known = DOCUMENT["$defs"].keys()
    assert schema._reachable(known, DOCUMENT["$defs"]) == known  # every reference leads somewhere


def test_every_definition_is_used() -> None:
    begins = [name for name in DOCUMENT["$defs"] if name.startswith(("request", "success"))]
    begins += [name for name in DOCUMENT["$defs"] if name.startswith(("failure", "refusal"))]
    assert schema._reachable(begins, DOCUMENT["$defs"]) == DOCUMENT["$defs"].keys()


@pytest.mark.parametrize("method", declarations())
def test_the_part_of_one_method_stands_alone(method: str) -> None:
    part = schema.document(method)
    jsonschema.Draft202012Validator.check_schema(part)
    assert schema._reachable(part["$defs"], part["$defs"]) == part["$defs"].keys()
    assert f"request:{method}" in part["$defs"]
    fields = msgspec.structs.fields(declarations()[method].params)
    params = part["$defs"][f"request:{method}"]["properties"]["params"]
    assert set(params["properties"]) - {schema.TOKEN} == {field.encode_name for field in fields}


def test_requests_are_told_apart() -> None:
    validator = jsonschema.Draft202012Validator(DOCUMENT)
    assert validator.is_valid({"method": "ping"})
    assert validator.is_valid({"method": "managed.layout.detail", "params": {"layout_id": "x"}})
    assert not validator.is_valid({"method": "managed.layout.detail"})
    assert not validator.is_valid({"method": "managed.layout.detail", "params": {}})
    assert not validator.is_valid({"method": "nope"})


def test_words() -> None:
    assert in_words({"type": "string", "minLength": 1, "maxLength": 64}) == (
        "string, 1 to 64 characters"
    )
    assert in_words({"type": "number", "exclusiveMinimum": 0}) == "number, more than 0"
    assert in_words({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]}) == (
        "integer, at least 0 or null"
    )
    assert in_words({"type": "object", "additionalProperties": {"type": "string"}}) == (
        "object of string"
    )
    assert in_words({}) == "anything"


def test_what_readers_cannot_look_up_is_left_out() -> None:
    assert plain("A pane that was ``removed`` (managed.md section 3).") == (
        "A pane that was `removed`."
    )
    assert plain("Section 13.3; ``x`` is additive (FR-005).") == "`x` is additive."
    text = json.dumps(DOCUMENT) + reference.page()
    for name in ("managed.md", "legacy surfaces", "app surface", ":func:", "``"):
        assert name not in text
