"""What is declared is what is served, and every code that may be answered is explained."""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import Any, cast

import msgspec
import pytest

import agenttower
from agenttower.domain.events import PAYLOAD_KEYS
from agenttower.errors import AgentTowerError
from agenttower.protocol.app.errors import ERRORS
from agenttower.protocol.catalog import codes, declarations
from agenttower.protocol.declaration import Declaration
from agenttower.protocol.errors import APP, NAMESPACES, SUMMARIES, codes_of, details_of
from agenttower.protocol.managed_errors import MANAGED_ERRORS
from agenttower.protocol.managed_results import Told
from agenttower.rpc.methods import method_table

OF_NO_METHOD = {"already_running", "service_refused", "state_refused"}
"""What programs end with before there is a socket."""

every_method = pytest.mark.parametrize("declared", declarations().values(), ids=declarations())


def test_the_method_table_is_what_is_declared() -> None:
    table = method_table(cast(Any, None))
    assert table.keys() == declarations().keys()
    for name, method in table.items():
        assert method.declared is declarations()[name]
        assert method.gate is method.declared.gate


@every_method
def test_a_declaration_says_what_people_need(declared: Declaration) -> None:
    assert re.fullmatch(r"(app\.|managed\.)?[a-z_]+(\.[a-z_]+)*", declared.name)
    assert re.fullmatch(r"[A-Z][^\n]{3,90}[.?]", declared.summary)
    assert len(set(declared.errors)) == len(declared.errors)
    assert set(codes_of(declared)) <= SUMMARIES.keys()


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_every_code_has_details_that_are_declared(namespace: str) -> None:
    for code in codes(namespace):
        details_of(code, namespace)


def test_every_error_class_that_can_reach_the_wire_is_in_the_catalog() -> None:
    for module in pkgutil.walk_packages(agenttower.__path__, "agenttower."):
        if not re.search(r"\.migrations\.|\.pyz|__main__", module.name):
            importlib.import_module(module.name)
    raised, waiting = set(), [AgentTowerError]
    while waiting:
        kind = waiting.pop()
        if kind.__module__.startswith(("agenttower.errors", "agenttower.rpc")):
            raised.add(kind.code)
        waiting += kind.__subclasses__()
    assert raised - OF_NO_METHOD <= SUMMARIES.keys()
    assert SUMMARIES.keys() == {*raised, *ERRORS, *MANAGED_ERRORS} - OF_NO_METHOD
    assert {code for name in NAMESPACES for code in codes(name)} <= SUMMARIES.keys()


def test_the_closed_sets_of_the_contract() -> None:
    assert len(ERRORS) == 27
    assert all(details_of(code, APP) is ERRORS[code] for code in ERRORS)


def test_the_payload_of_lifecycle_events_has_every_key() -> None:
    keys = {key.removesuffix("?") for keys in PAYLOAD_KEYS.values() for key in keys}
    assert {field.name for field in msgspec.structs.fields(Told)} == keys
