"""Logs that only the engine can reach are told with the same guarantees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from agenttower.errors import BenchTimeout
from agenttower.services.log_reader import LogReader
from agenttower.services.log_source import EngineLogs
from agenttower.store.models import LogAttachment
from tests.support.reading import Desk, desk


class Bench:
    """Reads files as a bench does, or fails as one."""

    def __init__(self) -> None:
        self.fails: Exception | None = None

    def get(self, bench_id: str) -> Bench:
        return self

    def read_file(self, path: str, offset: int, limit: int, deadline: float) -> bytes:
        if self.fails is not None:
            raise self.fails
        with Path(path).open("rb") as file:
            file.seek(offset)
            return file.read(limit)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as one:
        one.attach()
        LogAttachment.update(via="exec", bench_path=str(one.log())).execute()
        yield one


@pytest.fixture
def bench() -> Bench:
    return Bench()


def reader(here: Desk, bench: Bench) -> LogReader:
    return here.reader(EngineLogs(cast(Any, bench)))


def test_lines_are_told_once(here: Desk, bench: Bench) -> None:
    here.write("Error: a\n" * 20_000 + "Error: half")
    here.read_all(reader(here, bench))
    assert len(here.events()) == 20_000
    here.write(" b\n")
    here.read_all(reader(here, bench))
    here.read_all(reader(here, bench))
    assert here.events()[-1]["excerpt"] == "Error: half b"
    assert len(here.events()) == 20_001


def test_a_shorter_file_is_read_from_its_beginning(here: Desk, bench: Bench) -> None:
    here.write("Error: a\nError: b\n")
    one = reader(here, bench)
    here.read_all(one)
    here.log().write_text("Error: c\n")
    here.read_all(one)
    assert [event["excerpt"] for event in here.events()] == ["Error: a", "Error: b", "Error: c"]
    here.log().write_text("")
    here.read_all(one)
    here.write("Error: d\n")
    here.read_all(one)
    assert here.events()[-1]["excerpt"] == "Error: d"


def test_a_bench_that_does_not_answer_loses_nothing(here: Desk, bench: Bench) -> None:
    here.write("Error: a\n")
    one = reader(here, bench)
    bench.fails = BenchTimeout("no answer")
    here.read_all(one)
    assert (here.events(), here.status()) == ([], "active")
    assert len(one.troubles.reading) == 1
    bench.fails = None
    here.read_all(one)
    assert here.types() == ["error"]
    assert one.troubles.reading == {}


def test_a_file_that_is_not_there_is_missing(here: Desk, bench: Bench) -> None:
    here.log().unlink()
    here.read_all(reader(here, bench))
    assert here.status() == "stale"


def test_no_path_in_the_bench(here: Desk, bench: Bench) -> None:
    LogAttachment.update(bench_path=None).execute()
    one = reader(here, bench)
    here.read_all(one)
    [trouble] = one.troubles.reading.values()
    assert trouble.error_class == "log_unreadable"
