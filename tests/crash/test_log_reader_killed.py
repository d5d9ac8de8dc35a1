"""kill -9 of the reader at every point it names: each line is told once and in order.

Real files and the real tables; the worker's reading thread and its relay run in a process of their
own, which dies at the point and is started again, while another process goes on printing.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from agenttower.clock import now
from agenttower.engine.outbox import Relay
from agenttower.store.models import Event
from tests.crash.matrix import READER_POINTS
from tests.support.reading import Desk, desk
from tests.support.waiting import wait_until
from tests.torture.story import says_as_much

AGENTS = 3
LINES = 2500

READER = """
import sys
from pathlib import Path
from agenttower.clock import now
from agenttower.engine.outbox import Relay
from agenttower.clock import now
from tests.crash.matrix import READER_POINTS
from agenttower.settings import EventRules
from tests.support.reading import desk

root, until = Path(sys.argv[1]), int(sys.argv[2])
with desk(root, EventRules(per_cycle_byte_cap_bytes=4096)) as here:
    relay = Relay(here.store, root / "events.jsonl")
    reader = here.reader()
    while True:
        here.now = now()
        look = reader.look()
        relay.run_once()
        sizes = [here.log(number).stat().st_size for number in (1, 2, 3)]
        read = [here.offset(number).byte_offset for number in (1, 2, 3)]
        if not look.more and read == sizes and min(sizes) >= until:
            break
"""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as one:
        yield one


def lines(number: int) -> list[str]:
    """What an agent prints: every kind of line, each with its own number."""
    kinds = ("Error: {}", "step {}", "DONE {}", "FAILED t.py::t{}", "\x1b[32mstep\x1b[0m {}")
    return [kinds[(n + number) % len(kinds)].format(n) for n in range(LINES)]


def spawn(root: Path, until: int, point: str | None) -> subprocess.Popen[bytes]:
    armed = {} if point is None else {"AGENTTOWER_CRASH_AT": point}
    return subprocess.Popen(
        [sys.executable, "-c", READER, str(root), str(until)],
        env=os.environ | armed,
        cwd=Path(__file__).parents[2],
    )


def run_to_its_death(process: subprocess.Popen[bytes]) -> None:
    assert process.wait(60) == -signal.SIGKILL


def check(here: Desk) -> None:
    """Everything that was printed is told once, in the order of each file."""
    for number in range(1, AGENTS + 1):
        events = here.events(number)
        assert here.lines_told(number) == LINES
        # On a machine that is slow an agent may be silent long enough to be told of as well.
        events = [one for one in events if one["event_type"] != "long_running"]
        told = [event["excerpt"] for event in events if event["event_type"] != "activity"]
        said = [line for line in lines(number) if "step" not in line]
        assert told == said
        starts = [e["byte_range_start"] for e in events if e["event_type"] != "activity"]
        assert starts == sorted(set(starts))
        windows = [e for e in events if e["event_type"] == "activity"]
        edges = [(e["byte_range_start"], e["byte_range_end"]) for e in windows]
        assert edges == sorted(edges)
        assert all(a[1] <= b[0] for a, b in pairwise(edges))
        assert here.offset(number).line_offset == LINES


def check_file(here: Desk) -> None:
    """``events.jsonl`` is the outbox."""
    relay = Relay(here.store, here.root / "events.jsonl")
    relay.run_once()
    relay.close()
    told = [json.loads(line) for line in (here.root / "events.jsonl").read_text().splitlines()]
    rows = list(Event.select().order_by(Event.id).dicts())
    assert [line["event_id"] for line in told] == [row["id"] for row in rows]
    assert all(says_as_much(line, row) for line, row in zip(told, rows, strict=True))


def close_windows(here: Desk) -> None:
    here.now = now() + 60_000_000
    here.read_all()


@pytest.mark.parametrize("point", READER_POINTS)
def test_killed_at_every_passage_of_a_point(here: Desk, point: str) -> None:
    for number in range(1, AGENTS + 1):
        here.attach(number)
        here.write("".join(f"{line}\n" for line in lines(number)), number)
    until = min(here.log(number).stat().st_size for number in range(1, AGENTS + 1))
    for passage in (1, 3, 2):
        run_to_its_death(spawn(here.root, until, f"{point}:{passage}"))
    assert spawn(here.root, until, None).wait(60) == 0
    close_windows(here)
    check(here)
    check_file(here)


def test_killed_at_any_moment_while_agents_print(here: Desk) -> None:
    for number in range(1, AGENTS + 1):
        here.attach(number)
    whole = {n: "".join(f"{line}\n" for line in lines(n)).encode() for n in range(1, AGENTS + 1)}
    until = min(map(len, whole.values()))
    parts = 10
    for part in range(parts):
        process = spawn(here.root, 10**9, None)
        before = {n: here.offset(n).byte_offset for n in whole}
        for number, data in whole.items():  # pieces end anywhere, also within a line
            size = len(data) // parts
            end = len(data) if part == parts - 1 else (part + 1) * size
            here.write(data[part * size : end], number)
        wait_until(
            lambda before=before: any(here.offset(n).byte_offset > before[n] for n in whole),
            30,
            "the reader to have begun",
        )
        process.kill()
        process.wait()
    assert spawn(here.root, until, None).wait(60) == 0
    close_windows(here)
    check(here)
    check_file(here)
