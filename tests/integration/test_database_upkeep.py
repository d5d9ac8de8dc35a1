"""Check and backup of a database that is being written to."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from agenttower.store.backup import backup
from agenttower.store.upkeep import check
from tests.support.layouts import settled
from tests.support.tower import Tower
from tests.support.waiting import wait_until

LAYOUTS = 6


def agenttower(tower: Tower, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and document of a command with ``--json``."""
    done = subprocess.run(
        [sys.executable, "-m", "agenttower.cli.main", *arguments, "--json"],
        env=tower.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    document = json.loads(done.stdout)
    assert isinstance(document, dict)
    return done.returncode, document


def start_burst(tower: Tower) -> list[str]:
    return [
        tower.result(
            "managed.layout.create",
            {
                "container_id": "local",
                "template_name": "2m+2s",
                "tmux_session_name": f"s{number}",
                "label_prefix": f"{number}",
            },
        )["layout_id"]
        for number in range(LAYOUTS)
    ]


def test_backups_of_a_running_burst_are_consistent(tower: Tower, tmp_path: Path) -> None:
    tower.stop()
    tower.home.write_config("[local]\nenabled = true\n")
    tower.start()
    tower.result("scan_containers")
    paths = tower.home.paths
    layout_ids = start_burst(tower)

    events: list[int] = []

    def back_up_and_look() -> bool:
        copy = backup(paths.database, tmp_path / f"copy-{len(events)}")
        events.append(copy.last_event_id)
        report = check(copy.path)
        assert report.findings == (), "a copy is of one moment between commits"
        live = check(paths.database, paths.events_file)
        assert live.findings == (), "and so is what a check sees"
        states = tower.result("managed.layout.list")["items"]
        return all(layout["state"] != "creating" for layout in states)

    wait_until(back_up_and_look, 60, "the burst to end")
    assert len(set(events)) > 1, "backups were taken while events were written"
    assert events == sorted(events)
    assert {settled(tower, layout_id)["state"] for layout_id in layout_ids} == {"ready"}

    code, made = agenttower(tower, "db", "backup")
    assert code == 0
    copy = Path(made["result"]["path"])
    assert copy.parent == paths.backups_dir
    tower.kill9("worker")
    tower.stop("serve")
    code, found = agenttower(tower, "db", "check")
    assert (code, found["result"]["sound"]) == (0, True)

    # A restored backup must do for a tower to go on from.
    for suffix in ("", "-wal", "-shm"):
        Path(f"{paths.database}{suffix}").unlink(missing_ok=True)
    paths.database.touch(mode=0o600)
    paths.database.write_bytes(copy.read_bytes())
    tower.start()
    assert {settled(tower, layout_id)["state"] for layout_id in layout_ids} == {"ready"}


def test_what_the_commands_say(tower: Tower, tmp_path: Path) -> None:
    code, done = agenttower(tower, "db", "migrate")
    assert code == 0, "nothing is due, so a running tower is not in the way"
    assert done["result"]["applied"] == []
    code, made = agenttower(tower, "db", "backup", str(tmp_path))
    assert code == 0
    code, again = agenttower(tower, "db", "backup", made["result"]["path"])
    assert (code, again["error"]["code"]) == (1, "state_refused")
    copy = Path(made["result"]["path"])
    with copy.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 64)
    code, found = agenttower(tower, "db", "check", str(copy))
    assert (code, found["ok"], found["result"]["sound"]) == (3, True, False)
    assert {finding["check"] for finding in found["result"]["findings"]} == {"integrity"}
