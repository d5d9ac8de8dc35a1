"""The client runs where a bench has an older Python and none of our dependencies."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import agenttower
from tests.support.rpc_server import running_server

PACKAGE = Path(agenttower.__file__).parent
NEEDED = [
    PACKAGE / "__init__.py",
    PACKAGE / "errors.py",
    PACKAGE / "paths.py",
    *sorted((PACKAGE / "client").rglob("*.py")),
]
PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import agenttower.client as client
print(client.call(sys.argv[2], "ping"), client.choose_socket({"HOME": "/h"}).source)
loaded = {name.split(".")[0] for name in sys.modules}
print(sorted(loaded & {"msgspec", "peewee", "huey", "docker", "click", "rich", "yaml"}))
"""


@pytest.mark.parametrize("file", NEEDED, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_syntax_is_that_of_3_9(file: Path) -> None:
    ast.parse(file.read_text(), feature_version=(3, 9))


@pytest.mark.parametrize("name", ["this", "3.9", "3.10"])
def test_call_with_the_standard_library_only(tmp_path: Path, name: str) -> None:
    python = sys.executable if name == "this" else interpreter(name)
    if python is None:
        pytest.skip(f"no Python {name} here")
    with running_server(tmp_path) as server:
        done = subprocess.run(
            [python, "-I", "-S", "-c", PROGRAM, str(PACKAGE.parent), str(server.path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.stdout == "{} host_default\n[]\n", done.stderr


def interpreter(version: str) -> str | None:
    """A Python of that version that really starts, on the path or in pyenv's own place."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    found = [shutil.which(f"python{version}"), *map(str, pyenv.glob(f"{version}.*/bin/python"))]
    for python in filter(None, found):
        probe = subprocess.run([python, "-V"], capture_output=True, timeout=60, check=False)
        if probe.returncode == 0:
            return python
    return None
