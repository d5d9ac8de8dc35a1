"""The kernel tells of logs; where it does not, the reader looks, and a failing file is told."""

from __future__ import annotations

import json
import select
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agenttower.engine.doorbell import Doorbell, Listener
from agenttower.engine.outbox import Relay
from agenttower.store import containers, subsystems
from tests.support.reading import Desk, desk
from tests.support.waiting import wait_until
from workers.log_growth import LogGrowth, directories_of
from workers.pumps import RelayPump, running


@pytest.fixture
def bell(tmp_path: Path) -> Iterator[Listener]:
    doorbell = Doorbell(tmp_path / "bells")
    listener = doorbell.listen("logs")
    yield listener
    listener.close()
    doorbell.close()


@pytest.fixture
def growth() -> Iterator[LogGrowth]:
    growth = LogGrowth()
    yield growth
    growth.close()


def test_growth_is_told(tmp_path: Path, bell: Listener, growth: LogGrowth) -> None:
    log = tmp_path / "logs" / "a.log"
    log.parent.mkdir()
    log.touch()
    growth.follow(directories_of([str(log)]))
    assert not growth.wait(bell, 0)
    log.write_text("x")
    assert growth.wait(bell, 10)
    growth.grown()
    assert not growth.wait(bell, 0)
    growth.follow(set())
    growth.grown()
    log.write_text("y")
    assert not growth.wait(bell, 0)


def test_a_directory_that_comes_back_is_watched_anew(
    tmp_path: Path, bell: Listener, growth: LogGrowth
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    growth.follow({folder})
    shutil.rmtree(folder)
    assert growth.wait(bell, 10)
    growth.grown()
    folder.mkdir()
    growth.follow({folder})
    (folder / "a.log").write_text("x")
    assert growth.wait(bell, 10)


def test_what_cannot_be_watched_is_said_once(
    tmp_path: Path, growth: LogGrowth, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    for _ in range(3):
        growth.follow({tmp_path / "missing", tmp_path / "link"})
    assert caplog.text.count("cannot be watched") == 2


def test_the_bell_is_heard(tmp_path: Path, bell: Listener, growth: LogGrowth) -> None:
    bell.wake()
    assert growth.wait(bell, 10)
    assert not growth.wait(bell, 0)


def test_what_has_grown_is_told_once(growth: LogGrowth, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    growth.follow({tmp_path / "a", tmp_path / "b", tmp_path / "missing"})
    logs = {tmp_path / "a" / "one.log", tmp_path / "b" / "two é.log"}
    for _ in range(300):
        for log in logs:
            write(log)
    assert select.select([growth.fileno()], [], [], 5)[0]
    assert growth.grown() == logs
    assert growth.grown() == set()
    growth.follow({tmp_path / "a"})
    for log in logs:
        write(log)
    assert growth.grown() == {tmp_path / "a" / "one.log"}


def test_a_directory_may_come_later(growth: LogGrowth, tmp_path: Path) -> None:
    directory = tmp_path / "later"
    growth.follow({directory})
    directory.mkdir()
    growth.follow({directory})
    write(directory / "x.log")
    assert growth.grown() == {directory / "x.log"}


def write(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as one:
        yield one


def test_a_relay_that_fails_says_so_until_it_is_well(
    here: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doorbell = Doorbell(tmp_path / "bells")
    relay = Relay(here.store, tmp_path / "events.jsonl")
    broken = threading.Event()
    broken.set()
    run_once = relay.run_once

    def failing() -> int:
        if broken.is_set():
            raise OSError(28, "No space left on device")
        return run_once()

    monkeypatch.setattr(relay, "run_once", failing)
    pump = RelayPump(here.store, doorbell, relay)
    containers.append_audit("a", {}, 1)

    def said() -> dict[str, object] | None:
        known = subsystems.read("events_relay")
        return known and known[0]["degraded_jsonl"]

    try:
        with running("relay", pump.run, pump.stop):
            degraded = wait_until(said, 10, "the failure to be told")
            assert degraded["last_error_class"] == "OSError"
            broken.clear()
            doorbell.ring("events")
            wait_until(lambda: said() is None, 20, "the failure to be over")
        [line] = (tmp_path / "events.jsonl").read_text().splitlines()
        assert json.loads(line)["type"] == "a"
    finally:
        pump.close()
        relay.close()
        doorbell.close()
