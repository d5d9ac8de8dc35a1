"""``agenttower.pyz``: the same bytes each time, and nothing needed but a Python of 3.9 or newer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from agenttower import __version__
from agenttower.client.doctor.contract import SCHEMA_VERSION
from agenttower.errors import StateRefused
from agenttower.pyz import builder
from tests.unit.cli import samples
from tests.unit.cli.fake_daemon import FakeDaemon
from tests.unit.client.test_client_python39 import interpreter

PROGRAM = """
import contextlib, io, json, sys
sys.path.insert(0, sys.argv[1])
from agenttower.client.program.main import main
ended = []
for words in json.loads(sys.argv[2]):
    with contextlib.redirect_stdout(io.StringIO()) as said:
        ended.append((main(words), said.getvalue()))
tops = {name.partition(".")[0] for name in sys.modules}
foreign = sorted(tops & {"msgspec", "peewee", "huey", "docker", "click", "rich", "yaml"})
print(json.dumps([ended, foreign, sys.modules["agenttower"].__file__]))
"""


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pyz") / "agenttower.pyz"
    builder.write(path)
    return path


def test_the_same_bytes_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    first = builder.build()
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    assert builder.build() == first
    assert builder.is_ours(first)
    assert not builder.is_ours(b"#!/usr/bin/env python3\nprint()\n")


def test_what_is_in_it(pyz: Path) -> None:
    with zipfile.ZipFile(pyz) as file:
        names = file.namelist()
        assert file.testzip() is None
        assert {entry.date_time for entry in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert names == sorted(names)
    others = {name for name in names if not name.startswith("agenttower/client/")}
    assert others == {
        "__main__.py",
        "agenttower/__init__.py",
        "agenttower/errors.py",
        "agenttower/paths.py",
    }
    assert "agenttower/client/program/main.py" in names
    assert pyz.stat().st_mode & 0o777 == 0o755
    assert pyz.stat().st_size < 400_000


@pytest.mark.parametrize("name", ["this", "3.9", "3.13"])
def test_it_runs_alone(pyz: Path, tmp_path: Path, name: str) -> None:
    """Every command, isolated, without site-packages and without the sources in reach."""
    python = sys.executable if name == "this" else interpreter(name)
    if python is None:
        pytest.skip(f"no Python {name} here")
    daemon = FakeDaemon(tmp_path / "sock")
    try:
        prepare(daemon)
        lines = [["--socket", str(daemon.path), *words] for words in COMMANDS]
        done = subprocess.run(
            [python, "-I", "-S", "-W", "error", "-c", PROGRAM, str(pyz), json.dumps(lines)],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        daemon.close()
    assert (done.returncode, done.stderr) == (0, "")
    ended, foreign, where = json.loads(done.stdout)
    assert (foreign, where) == ([], f"{pyz}/agenttower/__init__.py")
    for words, (code, said) in zip(COMMANDS, ended, strict=True):
        assert code == 0, (words, said)
        assert "internal_error" not in said


def prepare(daemon: FakeDaemon) -> None:
    """Answers for every command, as from a host that is well."""
    agent = {"agent_id": "agt_1", "label": "s1", "active": True}
    prompt = {"message_id": "m", "state": "delivered", "last_updated_at": "1"}
    layout = samples.layout("ready", [samples.done("m1")])
    for method, answer in {
        "ping": {},
        "status": {
            "schema_version": SCHEMA_VERSION,
            "start_time_utc": "x",
            "worker": {"alive": True},
        },
        "list_containers": {"containers": [], "caller_container_id": None},
        "list_agents": {"agents": [agent]},
        "app.preflight": {"code": "ok"},
        "managed.layout.list": {"items": [], "next": None},
        "managed.layout.create": {"layout_id": "l"},
        "managed.layout.watch": {"layout": layout},
        "managed.pane.list": {"items": layout["panes"], "next": None},
        "managed.pane.detail": layout["panes"][0],
        "managed.pane.recreate": {"pane_id": "p"},
        "managed.pane.remove": {"pane_id": "p"},
        "managed.event.list": {"events": [samples.event(1)], "next": 1},
        "events.list": {"events": [], "next_cursor": None},
        "logs.read": {"lines": ["x"], "partial": None},
        "queue.operator_input": prompt,
        "queue.list": {"rows": [prompt]},
        "queue.show": prompt,
    }.items():
        daemon.on(method, answer)


COMMANDS = (
    ["call", "ping"],
    ["doctor"],
    ["status"],
    ["ls"],
    ["layout", "create", "1m+2s", "--session", "s", "--container", "c"],
    ["pane", "list"],
    ["pane", "show", "m1"],
    ["pane", "remove", "m1"],
    ["pane", "recreate", "m1"],
    ["agent", "list"],
    ["logs", "show", "s1"],
    ["send", "s1", "hello"],
    ["queue", "list"],
    ["queue", "show", "m", "--json"],
    ["events"],
    ["events", "--agents"],
)


def test_it_is_a_program(pyz: Path) -> None:
    done = subprocess.run(
        [pyz, "--version"], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == f"agenttower {__version__}\n"


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(StateRefused, match="--output"):
        builder.write(tmp_path / "none" / "x.pyz")
    (tmp_path / "dir").mkdir()
    with pytest.raises(StateRefused):
        builder.write(tmp_path / "dir")
    assert [path.name for path in tmp_path.iterdir()] == ["dir"]
