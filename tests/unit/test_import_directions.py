"""Imports point downward (design.md section 4)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

_LINT = """
import sys
from importlinter.cli import lint_imports
sys.exit(lint_imports("pyproject.toml", no_cache=True, no_logo=True))
"""
_FOREIGN_MODULES = """
import pkgutil, sys
import agenttower.client
for module in pkgutil.walk_packages(agenttower.client.__path__, "agenttower.client."):
    __import__(module.name)
tops = {name.partition(".")[0] for name in sys.modules}
print(*sorted(tops - sys.stdlib_module_names - {"agenttower", "__main__"}))
print(*sorted(name for name in sys.modules if name.startswith("agenttower.")))
"""


def test_every_contract_of_pyproject_holds() -> None:
    # In a process of its own: the linter configures logging, and would silence ours.
    run = subprocess.run(
        [sys.executable, "-c", _LINT],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stdout


def test_the_client_runs_on_the_standard_library() -> None:
    """The bench has Python and nothing else."""
    # -S: no site-packages, hence no module of an editable install's finder.
    run = subprocess.run(
        [sys.executable, "-S", "-c", _FOREIGN_MODULES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    foreign, ours = run.stdout.splitlines()
    assert foreign == ""
    others = [name for name in ours.split() if not name.startswith("agenttower.client")]
    assert set(others) <= {"agenttower.errors", "agenttower.paths"}
