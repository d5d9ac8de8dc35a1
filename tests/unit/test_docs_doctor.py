"""The doctor's checks and sub-codes are told as they are, and so are the families of exceptions."""

from __future__ import annotations

import ast
from pathlib import Path

from agenttower.client import refusals
from agenttower.client.doctor import contract, ours
from agenttower.client.doctor.seen import Seen
from agenttower.client.socket_path import SocketOverrideInvalid
from agenttower.doctor import host
from agenttower.paths import default_paths
from tests.support.markdown import Document, codes
from tests.support.state_home import StateHome

ROOT = Path(__file__).parents[2]
GUIDE = Document(ROOT / "docs/operator-guide.md")
LIBRARY = Document(ROOT / "docs/client-library.md")
CHECKS = GUIDE.table("check", "looks at", "sub-codes").rows


def test_the_checks_and_their_order(state_home: StateHome) -> None:
    seen = Seen(SocketOverrideInvalid("value is empty"), state_home.environ)
    rows = [*contract.contract_rows(seen), *ours.our_rows(seen)]
    rows += host.host_rows(seen, default_paths(state_home.environ), state_home.environ)
    assert [row.check for row in rows] == [name for row in CHECKS for name in codes(row[0])]


def test_the_sub_codes() -> None:
    used = {*contract._UNREACHABLE, *host._ENGINE}
    for module in (contract, ours, host):
        for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Row":
                used |= {
                    part.value
                    for argument in node.args[3:4]
                    for part in ast.walk(argument)
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                }
    told = {code for row in CHECKS for code in codes(row[2])}
    assert told == (used | {"tmux_missing", "tmux_too_old"}) - {contract.AWAY, "bench_context"}


def test_the_families_of_exceptions() -> None:
    told = {codes(row[0])[0] for row in LIBRARY.table("family", "what can be done").rows}
    assert told == {kind.__mro__[1].__name__ for kind in refusals.CLASSES.values()}


def test_what_the_program_for_benches_can_do() -> None:
    from agenttower.client.program.main import _parser

    rows = GUIDE.table("in a bench", "").rows
    told = {code.partition(" METHOD")[0] for row in rows for code in codes(row[0])}
    assert told == set(_commands(_parser()))


def _commands(parser: object, path: str = "") -> list[str]:
    import argparse

    assert isinstance(parser, argparse.ArgumentParser)
    groups = [x for x in parser._actions if isinstance(x, argparse._SubParsersAction)]
    if not groups:
        return [path]
    return [
        name
        for group in groups
        for verb, inner in group.choices.items()
        for name in _commands(inner, f"{path} {verb}".strip())
    ]
