"""How fast output becomes events, how soon, and that kills of the worker cost no line."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from agenttower.clock import now
from agenttower.domain.classifier import RuleSet
from agenttower.domain.records import readable
from agenttower.store.database import open_sqlite
from benchmarks.report import Measure, Ratio, Section
from benchmarks.scope import Scope
from tests.support.reading import Desk, desk
from tests.support.state_home import make_state_home
from tests.support.tower import Tower
from tests.support.waiting import wait_until

MIB = 1024 * 1024
AGENTS = 4
KILL_EVERY_S = 1.5
DEADLINE_S = 600.0

_TEXT = """
reading writing src/app/module.py the build of layer ok warning: deprecated call step 17/40 12%
compiled in 3.1 s https://example.test/path x=1 -> [1, 2] ä — 完了
"""
_WORDS = _TEXT.split()
_NEWS = (
    "Error: connection to db-1 refused",
    "FAILED tests/unit/test_a.py::test_b - AssertionError",
    "=== 128 passed in 4.21s ===",
    "task completed",
    "Do you want to go on? [Y/n] ",
    "export API_TOKEN=abcdefghijklmnop",
)


def run(scope: Scope) -> Section:
    """100 MiB by the reader alone, the same through a worker, and again with kills."""
    size = scope.count(100, 8) * MIB
    with TemporaryDirectory(prefix="atreader") as directory:
        alone = _alone(Path(directory), size)
    whole, told = _through_a_worker(size, kills=False)
    killed, killed_told = _through_a_worker(size, kills=True)
    latency = _latency(scope.count(200, 40))
    share = killed_told.news / killed_told.lines
    return Section(
        "Reading the output of agents",
        [
            Measure("reader alone", "MiB/s", [alone], note="one thread, events and offsets stored"),
            Measure("through a worker", "MiB/s", [whole], note="with the relay beside it"),
            Measure(
                "through a worker that is killed",
                "MiB/s",
                [killed],
                note=f"kill -9 every {KILL_EVERY_S:g} s, {killed_told.kills} times",
            ),
            Measure("line written to event stored", "ms", latency, note="an idle worker"),
        ],
        ratios=[Ratio("a worker / the reader alone", whole / alone)],
        notes=[
            f"{size / MIB:g} MiB of {told.lines} lines in {AGENTS} logs; {share:.1%} of them are "
            "events of their own, the others activity.",
            f"Each line was told once and in order: {told.verdict}; with "
            f"{killed_told.kills} kills: {killed_told.verdict}.",
        ],
    )


class Told:
    """What became of the lines."""

    def __init__(self, lines: int, news: int) -> None:
        self.lines = lines
        self.news = news
        self.kills = 0
        self.verdict = "not checked"


def _output(size: int, seed: int) -> tuple[bytes, int, list[str]]:
    """Mixed output, how many lines it has, and those that are events of their own, as shown."""
    dice = random.Random(seed)
    rules = RuleSet()
    block: list[str] = []
    for number in range(20_000):
        line = " ".join(dice.choices(_WORDS, k=dice.randint(3, 22)))
        if dice.random() < 0.05:
            line = f"{dice.choice(_NEWS)} {number}"
        if dice.random() < 0.2:
            line = f"\x1b[3{dice.randint(1, 7)}m{line}\x1b[0m"
        if dice.random() < 0.05:
            line = "".join(f"{percent}%\r" for percent in range(0, 100, 10)) + line
        block.append(line)
    data = "".join(f"{line}\r\n" for line in block).encode()
    shown = [readable(line) for line in block]
    news = [line for line in shown if rules.classify(line).event_type != "activity"]
    times = max(1, size // len(data))
    return data * times, times * len(block), news * times


def _alone(root: Path, size: int) -> float:
    """MiB a second."""
    data, _, _ = _output(size, 0)
    with desk(root) as here:
        here.attach(1)
        here.write(data, 1)
        reader = here.reader()
        start = time.perf_counter()
        while reader.look().more:
            pass
        took = time.perf_counter() - start
        assert here.offset(1).byte_offset == len(data)
    return len(data) / MIB / took


@contextmanager
def _worker() -> Iterator[tuple[Tower, Desk]]:
    """A worker without an engine, and agents in its database."""
    with make_state_home() as home:
        tower = Tower(home)
        try:
            tower.start("worker")
            tower.stop("worker")
            store = open_sqlite(home.paths.database)
            try:
                yield tower, Desk(store, home.paths.state_dir, now=now())
            finally:
                store.close_thread()
        finally:
            tower.close()


def _through_a_worker(size: int, *, kills: bool) -> tuple[float, Told]:
    with _worker() as (tower, here):
        outputs = {number: _output(size // AGENTS, number) for number in range(1, AGENTS + 1)}
        for number, (data, _, _) in outputs.items():
            here.attach(number)
            here.write(data, number)
        told = Told(
            sum(lines for _, lines, _ in outputs.values()),
            sum(len(news) for _, _, news in outputs.values()),
        )
        start = time.perf_counter()
        tower.start("worker")
        while not _all_read(here, outputs):
            if kills:
                _wait_or(lambda: _all_read(here, outputs), KILL_EVERY_S)
                tower.kill9("worker")
                told.kills += 1
                tower.start("worker")
            else:
                time.sleep(0.02)
            assert time.perf_counter() - start < DEADLINE_S, tower.logs()
        took = time.perf_counter() - start
        wait_until(lambda: _windows_closed(here), 30, "the windows to close")
        told.verdict = _verdict(here, outputs)
        read = sum(len(data) for data, _, _ in outputs.values())
        return read / MIB / took, told


def _wait_or(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not condition():
        time.sleep(0.02)


def _all_read(here: Desk, outputs: dict[int, tuple[bytes, int, list[str]]]) -> bool:
    return all(here.offset(n).byte_offset == len(data) for n, (data, _, _) in outputs.items())


def _windows_closed(here: Desk) -> bool:
    row = here.store.execute("SELECT COUNT(*) FROM log_offset WHERE open_window IS NOT NULL")
    return bool(row.fetchone()[0] == 0)


def _verdict(here: Desk, outputs: dict[int, tuple[bytes, int, list[str]]]) -> str:
    for number, (_, lines, news) in outputs.items():
        counted = here.lines_told(number)
        if counted != lines:
            return f"no, {counted} of {lines} lines of log {number}"
        told = [e["excerpt"] for e in here.events(number) if e["event_type"] not in _OTHERS]
        if told != news:
            return f"no, the events of log {number} differ"
    return "yes"


_OTHERS = ("activity", "long_running", "pane_exited")


def _latency(count: int) -> list[float]:
    """Milliseconds from a line's being in the file to its event's being in the database."""
    took = []
    with _worker() as (tower, here):
        here.attach(1)
        tower.start("worker")
        for number in range(count):
            start = time.perf_counter()
            here.write(f"Error: {number}\n", 1)
            wait_until(lambda n=number: _count(here) > n, 10, "the event")  # type: ignore[misc]
            took.append((time.perf_counter() - start) * 1e3)
    return took


def _count(here: Desk) -> int:
    return int(here.store.execute("SELECT COUNT(*) FROM event").fetchone()[0])
