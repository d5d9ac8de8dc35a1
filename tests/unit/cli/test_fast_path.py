"""What is heavy is not imported before it is needed (design.md section 4)."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.unit.cli import samples
from tests.unit.cli.fake_daemon import FakeDaemon

HEAVY = {"peewee", "huey", "docker", "msgspec", "rich", "yaml", "workers", "playhouse", "requests"}

SCRIPT = """
import sys
sys.argv = ["agenttower", *sys.argv[1:]]
from agenttower.cli.main import main
try:
    main()
finally:
    print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def modules_after(*arguments: str) -> set[str]:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(ended.stderr.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["--help"],
        ["layout", "create", "--help"],
        ["pane", "recreate", "--help"],
        ["protocol", "schema", "--help"],
    ],
)
def test_nothing_heavy_without_a_daemon(home, arguments):
    assert not HEAVY & modules_after(*arguments)


@pytest.mark.parametrize(
    ("arguments", "method", "result"),
    [
        (["layout", "list"], "managed.layout.list", {"items": [], "next": None}),
        (["pane", "list", "--json"], "managed.pane.list", {"items": [], "next": None}),
        (["container", "list"], "list_containers", {"filter": "all", "containers": []}),
        (["agent", "list"], "list_agents", {"filter": {}, "agents": []}),
        (["status"], "status", {"alive": True}),
        (["pane", "remove", samples.PANE], "managed.pane.remove", {"pane_id": samples.PANE}),
    ],
)
def test_nothing_heavy_in_lists(daemon: FakeDaemon, arguments, method, result):
    daemon.on(method, result)
    modules = modules_after(*arguments)
    assert not HEAVY & modules
    assert daemon.requests
