"""How subsystems are judged, by rows as the worker writes them (app surface, section 10)."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agenttower.bench.registry import Benches
from agenttower.clock import SECOND
from agenttower.domain.readiness import Health, Subsystem
from agenttower.engine import presence
from agenttower.errors import DockerUnavailable
from agenttower.paths import Paths, default_paths
from agenttower.protocol.app.readiness import Readiness
from agenttower.services.background import Background
from agenttower.services.caller import HOST
from agenttower.services.engine_probe import EngineProbe
from agenttower.services.readiness import ReadinessService
from agenttower.services.subsystem_health import SILENT_AFTER
from agenttower.store import subsystems
from agenttower.store.models import Container, Event, PaneScan, RelayPosition, Worker
from tests.support.wired import Wired, nothing, wired

READER = {"running": True, "attachments_in_failure": [], "degraded_sqlite": None}
ROUTING = {"degraded_since": None, "trouble": None}


class Rig:
    """A tower in which all is well, by its rows."""

    def __init__(self, tower: Wired, home: Path) -> None:
        self.tower = tower
        self.engine_error: Exception | None = None
        self.background = Background(tower.store.close_thread)
        benches = cast(Benches, SimpleNamespace(providers=(self,)))
        self.probe = EngineProbe(benches, self.background, nothing)
        self.paths: Paths = default_paths({"HOME": str(home)})
        self.paths.state_dir.mkdir(parents=True)
        self.paths.events_file.touch()
        self.paths.database.symlink_to(home / "state.sqlite3")
        presence.announce(tower.store, "w", presence.this_process(), tower.now)
        self.say("routing", ROUTING)
        self.say("events_reader", READER)

    name = "docker"

    def ping(self, timeout_s: float) -> bool:
        if self.engine_error is not None:
            raise self.engine_error
        return True

    def say(self, name: str, document: dict[str, Any], at: int | None = None) -> None:
        with self.tower.store.transaction():
            subsystems.write(name, document, self.tower.now if at is None else at)

    def ask(self) -> Readiness:
        service = ReadinessService(
            self.tower.store,
            self.paths,
            self.probe,
            self.tower.switch,
            lambda: self.tower.now,
            ("events_reader",),
        )
        found = service.readiness(time.monotonic(), final=True)
        assert found is not None
        return found

    def ill(self) -> dict[str, tuple[str, str]]:
        """The rows that are not ok, by name: status and reason."""
        rows = self.ask().subsystems
        return {r.name.value: (r.status.value, r.reason) for r in rows if r.status is not Health.OK}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with wired(tmp_path) as tower:
        rig = Rig(tower, tmp_path)
        yield rig
        rig.background.close()


def test_all_is_well(rig: Rig) -> None:
    found = rig.ask()
    assert found.state == "ready"
    assert [row.name for row in found.subsystems] == list(Subsystem)
    assert {(row.reason, row.hint) for row in found.subsystems} == {("", None)}
    assert [hint.code for hint in found.hints] == ["attach_logs", "enable_first_route"]


def test_a_switch_that_is_off_is_no_ill_health(rig: Rig) -> None:
    rig.tower.switch.toggle(HOST, "disabled")
    found = rig.ask()
    assert found.state == "ready"
    row = next(row for row in found.subsystems if row.name is Subsystem.ROUTING_WORKER)
    assert "switched off" in str(row.hint)


def dead(rig: Rig) -> None:
    with rig.tower.store.transaction():
        Worker.update(pid=2**22 + 1).execute()


def late(rig: Rig) -> None:
    for name, document in (("routing", ROUTING), ("events_reader", READER)):
        rig.say(name, document)
    rig.tower.now += SILENT_AFTER + SECOND
    with rig.tower.store.transaction():
        Worker.update(heartbeat_at=rig.tower.now).execute()


def starting(rig: Rig) -> None:
    with rig.tower.store.transaction():
        Worker.update(started_at=rig.tower.now + 1).execute()


def behind(rig: Rig) -> None:
    rig.tower.event()
    rig.tower.now += 11 * SECOND
    with rig.tower.store.transaction():
        Worker.update(heartbeat_at=rig.tower.now).execute()


def partial(rig: Rig) -> None:
    with rig.tower.store.transaction():
        Container.update(pane_scan_error="docker_exec_timeout").execute()
        scanned(rig, "degraded", 0)


def no_tmux(rig: Rig) -> None:
    with rig.tower.store.transaction():
        Container.update(pane_scan_error="tmux_unavailable").execute()
        scanned(rig, "degraded", 1)


def scanned(rig: Rig, status: str, without_tmux: int) -> None:
    PaneScan.insert(
        scan_id="s", started_at=rig.tower.now, completed_at=rig.tower.now, status=status,
        containers_scanned=1, sockets_scanned=0, panes_seen=0, panes_newly_active=0,
        panes_reconciled_inactive=0, containers_skipped_inactive=0,
        containers_tmux_unavailable=without_tmux, error_details="[]",
    ).execute()  # fmt: skip


def relay_fails(rig: Rig) -> None:
    failing = {"since": "2026-01-01T00:00:00+00:00", "last_error_class": "OSError"}
    rig.say("events_relay", {"degraded_jsonl": failing})


def gone_file(rig: Rig) -> None:
    rig.paths.events_file.unlink()


def file_is_a_directory(rig: Rig) -> None:
    rig.paths.events_file.unlink()
    rig.paths.events_file.mkdir()


def undecided(rig: Rig) -> None:
    rig.say("routing", {"degraded_since": 1, "trouble": "routing_sqlite_locked"})


def unread(rig: Rig) -> None:
    rig.say("events_reader", {**READER, "attachments_in_failure": [{}, {}]})


def unwritten(rig: Rig) -> None:
    rig.say("events_reader", {**READER, "degraded_sqlite": {"buffered_attachments": [{}]}})


def ended(rig: Rig) -> None:
    rig.say("events_reader", {**READER, "running": False})


def engine_away(rig: Rig) -> None:
    rig.engine_error = DockerUnavailable("refused at unix:///run/docker.sock")


WORKERS = ("routing_worker", "log_attachment_workers")


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (dead, dict.fromkeys(("jsonl", *WORKERS), "unavailable")),
        (late, dict.fromkeys(WORKERS, "degraded")),
        (starting, dict.fromkeys(WORKERS, "degraded")),
        (behind, {"jsonl": "degraded"}),
        (partial, {"tmux_discovery": "degraded"}),
        (no_tmux, {"tmux_discovery": "unavailable"}),
        (relay_fails, {"jsonl": "unavailable"}),
        (gone_file, {"jsonl": "degraded"}),
        (file_is_a_directory, {"jsonl": "degraded"}),
        (undecided, {"routing_worker": "degraded"}),
        (unread, {"log_attachment_workers": "degraded"}),
        (ended, {"log_attachment_workers": "unavailable"}),
        (unwritten, {"sqlite": "degraded"}),
        (engine_away, dict.fromkeys(("docker", "tmux_discovery"), "unavailable")),
    ],
)
def test_what_is_not_well(rig: Rig, spoil: Callable[[Rig], None], expected: dict[str, str]) -> None:
    spoil(rig)
    ill = rig.ill()
    assert {name: status for name, (status, _) in ill.items()} == expected
    for _, reason in ill.values():
        assert reason
        assert "/" not in reason
    assert rig.ask().state == "degraded"


def test_a_database_that_somebody_holds(rig: Rig) -> None:
    with closing(sqlite3.connect(rig.paths.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert {name: status for name, (status, _) in rig.ill().items()} == {"sqlite": "degraded"}
        other.execute("ROLLBACK")
    assert rig.ill() == {}


def test_a_database_that_cannot_be_read(rig: Rig) -> None:
    rig.tower.store.close_thread()
    for path in rig.paths.database.resolve().parent.glob("state.sqlite3*"):
        path.write_bytes(b"no database at all" * 100)
    found = rig.ask()
    assert {row.name: row.status for row in found.subsystems} == {
        name: Health.OK if name is Subsystem.DOCKER else Health.UNAVAILABLE for name in Subsystem
    }
    assert found.hints == []


def test_nothing_is_written(rig: Rig) -> None:
    before = _everything(rig)
    for _ in range(3):
        rig.ask()
    assert _everything(rig) == before


def _everything(rig: Rig) -> list[int]:
    tables = (Event, PaneScan, RelayPosition, Container, Worker)
    changes = rig.tower.store.execute("SELECT total_changes()").fetchone()[0]
    return [changes, *(table.select().count() for table in tables)]
