"""Nothing that is declared is without a row: no method, no code, no detail key."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agenttower.protocol.catalog import codes, declarations
from agenttower.protocol.errors import NAMESPACES, codes_of, details_of, namespace_of
from tests.conformance.tables import AT_THE_END, LINES, ROWS, WAITING_AT_THE_END

ALL = (*ROWS, *AT_THE_END, WAITING_AT_THE_END)
NEVER_ANSWERED = {"managed.pane.promote_from_adopted", "app.managed_pane_promote_from_adopted"}
"""Reserved methods, which are always refused."""

GENERATED = {
    "legacy": {"bad_request"},
    "managed": {"bad_request"},
    "app": {"app_session_required", "app_session_expired"},
}
"""Asked of every method in ``test_generated.py``."""


def refused(namespace: str) -> set[str]:
    found = {row.code for row in ALL if row.code and namespace_of(row.method) == namespace}
    found |= {code for name, _, code, _ in LINES if name == namespace}
    return found | GENERATED[namespace]


def test_every_method_is_answered() -> None:
    answered = {row.method for row in ALL if row.code is None}
    assert declarations().keys() - answered == NEVER_ANSWERED & declarations().keys()


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_every_code_is_provoked(namespace: str) -> None:
    assert set(codes(namespace)) - refused(namespace) == set()


@pytest.mark.parametrize("namespace", [name for name in NAMESPACES if name != "legacy"])
def test_every_detail_key_is_seen(namespace: str) -> None:
    missing: set[tuple[str, str]] = set()
    for code in codes(namespace):
        shape: Any = details_of(code, namespace)
        seen = {
            key
            for row in ALL
            if row.code == code and namespace_of(row.method) == namespace
            for key in row.details
        }
        seen |= {
            key
            for name, _, known, keys in LINES
            if known == code and name == namespace
            for key in keys.split()
        }
        missing |= {(code, field.name) for field in msgspec.structs.fields(shape)} - {
            (code, key) for key in seen
        }
    assert missing == set()


@pytest.mark.parametrize("row", [row for row in ALL if row.code], ids=str)
def test_a_row_expects_what_is_declared(row: Any) -> None:
    if row.method in declarations():
        assert row.code in codes_of(declarations()[row.method])
    shape = details_of(row.code, namespace_of(row.method))
    fields = () if shape is None else msgspec.structs.fields(shape)
    required = {field.name for field in fields if field.required}
    assert required <= row.details <= {field.name for field in fields}
