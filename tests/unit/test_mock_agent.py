"""The mock agent runs wherever a bench has Python 3.9 or newer, and nothing else."""

from __future__ import annotations

import ast
import sys

from tests.support.mock_agent import PROGRAM


def test_it_is_for_python_3_9_and_the_standard_library() -> None:
    tree = ast.parse(PROGRAM.read_text(encoding="utf-8"), feature_version=(3, 9))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else _names(node))
    }
    assert imported <= sys.stdlib_module_names


def _names(node: ast.Import) -> list[str]:
    return [alias.name for alias in node.names]
