"""Growing files are told by name, and only those of the directories that are followed."""

from __future__ import annotations

import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from workers.log_growth import LogGrowth


@pytest.fixture
def growth() -> Iterator[LogGrowth]:
    growth = LogGrowth()
    yield growth
    growth.close()


def write(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


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
