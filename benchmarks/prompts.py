"""Prompts: how long one takes to reach an agent and to be seen taken, and how many go a second."""

from __future__ import annotations

import base64
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from agenttower.bench.docker_provider import DockerProvider
from agenttower.bench.interface import PaneTarget
from benchmarks.report import Measure, Section
from benchmarks.scope import Scope
from benchmarks.testbed import Testbed, testbed
from tests.support.mock_layout import MockLayout, add_mock_layout
from tests.support.waiting import wait_until

ECHO = Path(__file__).parents[1] / "tests/torture/echo_reader.py"
AGENTS = 8
TEXT = b"run the tests and tell me which of them fail"
LONG = b"0123456789abcde\n" * 2500 + b"and so on"


def run(scope: Scope) -> Section:
    """One at a time to an idle agent; then a burst to eight, and to one."""
    times = scope.count(60, 10)
    each = scope.count(100, 15)
    with testbed(scope.engine()) as bed, _agents(bed) as agents:
        for label in ("s1", "e0"):
            agents.send(label, b"warm up")
        mock = [_seconds(agents, "s1", TEXT) for _ in range(times)]
        echo = [_seconds(agents, "e0", TEXT) for _ in range(times)]
        long = [_seconds(agents, "e0", LONG) for _ in range(scope.count(20, 5))]
        woken = [claimed - enqueued for enqueued, claimed, _ in _stamps(bed)]
        typed = [delivered - claimed for _, claimed, delivered in _stamps(bed)]
        floor = list(_floor(bed, agents, times))
        many = [_burst(bed, agents, [f"e{n}" for n in range(AGENTS)], each) for _ in range(3)]
        one = [_burst(bed, agents, ["e1"], each) for _ in range(3)]
    return Section(
        "Prompts",
        [
            Measure("asked for until seen taken, by a mock agent", "s", mock,
                    note="one at a time, 44 bytes"),
            Measure("the same, by a program that echoes", "s", echo),
            Measure("the same, 40 kB", "s", long),
            Measure("of these: accepted until claimed by the worker", "s", woken),
            Measure("of these: claimed until delivered", "s", typed,
                    note="look, paste, look, Enter, two looks"),
            Measure("floor: paste and Enter alone, over the same channel", "s", floor,
                    note="remembers nothing, proves nothing"),
            Measure(f"prompts a second, to {AGENTS} agents of a container", "1/s", many),
            Measure("prompts a second, to one agent", "1/s", one),
        ],
        notes=["Every prompt was delivered and seen taken."],
    )  # fmt: skip


@contextmanager
def _agents(bed: Testbed) -> Iterator[MockLayout]:
    """A mock agent, and programs that echo, in one bench."""
    state = bed.tower.home.paths.state_dir
    with tempfile.TemporaryDirectory(dir=bed.tower.home.root) as made:
        directory = Path(made)
        directory.chmod(0o755)
        shutil.copy(ECHO, directory)
        bench = bed.factory(mounts={state: str(state), directory: str(directory)})
        bed.tower.result("scan_containers")
        echo = ["exec", "python3", str(directory / ECHO.name)]
        options = {"s1": ["--think", "0"]}
        options |= {f"e{n}": [*echo, str(directory / f"e{n}.raw")] for n in range(AGENTS)}
        agents = add_mock_layout(bed.tower, bench, directory, options, "work")
        agents.ready("s1")
        yield agents


def _seconds(agents: MockLayout, label: str, text: bytes) -> float:
    start = time.perf_counter()
    row = agents.send(label, text)
    taken = time.perf_counter() - start
    assert (row["state"], row["submission"]) == ("delivered", "submitted"), row
    return taken


def _stamps(bed: Testbed) -> list[tuple[float, float, float]]:
    """When each prompt was accepted, claimed and delivered. Acceptance has whole milliseconds."""
    return [
        (enqueued / 1e6, claimed / 1e6, delivered / 1e6)
        for enqueued, claimed, delivered in _query(
            bed,
            "SELECT enqueued_at, delivery_attempt_started_at, delivered_at FROM prompt"
            " WHERE state = 'delivered' ORDER BY id",
        )
    ]


def _query(bed: Testbed, sql: str) -> list[tuple[int, ...]]:
    uri = f"file:{bed.tower.home.paths.database}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=5)) as database:
        return database.execute(sql).fetchall()


def _burst(bed: Testbed, agents: MockLayout, labels: Sequence[str], each: int) -> float:
    """Prompts a second while every agent has more than enough waiting."""
    bed.tower.result("routing.disable")
    ids = []
    for number in range(each):
        for label in labels:
            body = base64.b64encode(b"%d %s" % (number, TEXT)).decode()
            params = {"target": agents.id(label), "body_bytes": body, "wait": False}
            ids.append(bed.tower.result("queue.operator_input", params)["message_id"])
    bed.tower.result("routing.enable")
    for message_id in ids:
        bed.tower.result("queue.approve", {"message_id": message_id})
    [(before,)] = _query(bed, "SELECT MAX(id) FROM prompt")

    def over() -> bool:
        return _query(bed, "SELECT COUNT(*) FROM prompt WHERE state = 'queued'") == [(0,)]

    wait_until(over, 300, "the burst to be delivered")
    rows = _query(
        bed,
        "SELECT delivery_attempt_started_at, delivered_at FROM prompt"
        f" WHERE id > {before - len(ids)} AND state = 'delivered' AND submission = 'submitted'",
    )
    assert len(rows) == len(ids)
    return len(rows) / ((max(row[1] for row in rows) - min(row[0] for row in rows)) / 1e6)


def _floor(bed: Testbed, agents: MockLayout, times: int) -> Iterator[float]:
    """The two lines that no delivery can do without, on an open channel."""
    socket, pane_id, pid, token = _query_text(
        bed,
        "SELECT tmux_socket_path, tmux_pane_id, pane_pid, pane_id FROM managed_pane"
        " WHERE label = 'e2'",
    )
    pane = PaneTarget(socket, pane_id, int(pid), token.replace("-", ""))
    provider = DockerProvider(bed.engine.url)
    bench = provider.open(str(agents.bench.id), "measure")
    try:
        bench.screen(pane, time.monotonic() + 5)  # opens the channel
        for _ in range(times):
            start = time.perf_counter()
            assert bench.paste(pane, TEXT, time.monotonic() + 5)
            assert bench.submit(pane, time.monotonic() + 5)
            yield time.perf_counter() - start
    finally:
        bench.close()
        provider.close()


def _query_text(bed: Testbed, sql: str) -> tuple[str, ...]:
    [row] = _query(bed, sql)
    return tuple(str(part) for part in row)
