"""Two hundred clients for a minute: reads of all kinds, and layouts that come and go."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from docker.models.containers import Container

from benchmarks import machine
from benchmarks.crowd import Asked, Crowd
from benchmarks.report import Aim, Measure, Ratio, Section
from benchmarks.scope import Scope
from benchmarks.testbed import Testbed, testbed

CLIENTS = 200
BENCHES = 4
PAUSE_S = 0.5
SAMPLE_S = 1.0


@dataclass
class Watched:
    """Memory and descriptors of both processes, once a second."""

    rss_mib: dict[str, list[float]] = field(default_factory=dict)
    descriptors: list[int] = field(default_factory=list)
    cpu_s: float = 0.0


def run(scope: Scope) -> Section:
    """All clients but one a bench read; those make a layout, wait for it, and remove it."""
    seconds = scope.count(60, 10)
    with testbed(scope.engine()) as bed:
        benches = [bed.bench() for _ in range(BENCHES)]
        kept = [bed.create(bench, "kept").detail for bench in benches]
        reads = _reads(kept[0]["layout_id"], str(benches[0].id))
        with _watching(bed) as watched:
            crowd = Crowd(bed.tower.socket_path, reads, CLIENTS - BENCHES, seconds, PAUSE_S)
            creations = _come_and_go(bed, benches, time.monotonic() + seconds)
            found = crowd.found()
    assert not found.errors, found.errors[:5]
    assert not creations.failures, creations.failures
    measures = [
        *(
            Measure(name, "ms", took, [Aim("p99", 250)] if name == "ping" else [])
            for name, took in sorted(found.took.items())
        ),
        Measure("create accepted", "ms", creations.accepted_ms),
        Measure("layout ready", "s", creations.ready_s, note="three panes, in the middle of it"),
        Measure("layout removed", "s", creations.removed_s),
    ]
    count = sum(len(took) for took in found.took.values())
    return Section(
        f"{CLIENTS} clients for {seconds} s",
        measures,
        ratios=[
            Ratio(f"RSS of {role}, last third / first third", _growth(samples))
            for role, samples in watched.rss_mib.items()
        ],
        notes=[
            f"{count} reads ({count / seconds:.0f} a second), {len(creations.ready_s)} layouts "
            "made and removed, no error.",
            f"Serve and worker used {watched.cpu_s / seconds * 100:.0f} % of a core; descriptors "
            f"of serve: {min(watched.descriptors)} to {max(watched.descriptors)}, "
            f"{watched.descriptors[-1]} at the end.",
        ],
    )


def _reads(layout_id: str, container_id: str) -> list[Asked]:
    return [
        ("ping", {}),
        ("status", {}),
        ("list_containers", {}),
        ("list_agents", {}),
        ("managed.layout.list", {"limit": 50}),
        ("managed.layout.detail", {"layout_id": layout_id}),
        ("managed.pane.list", {"container_id": container_id}),
        ("managed.event.list", {"limit": 50}),
        ("events.list", {}),
        ("queue.list", {}),
    ]


@dataclass
class Creations:
    """What those who make layouts met."""

    accepted_ms: list[float] = field(default_factory=list)
    ready_s: list[float] = field(default_factory=list)
    removed_s: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def _come_and_go(bed: Testbed, benches: list[Container], until: float) -> Creations:
    found = Creations()

    def one(number: int) -> None:
        turn = 0
        try:
            while time.monotonic() < until:
                turn += 1
                made = bed.create(benches[number], f"load{number}-{turn}")
                found.accepted_ms.append(made.accept_s * 1e3)
                found.ready_s.append(made.total_s)
                start = time.perf_counter()
                bed.tower.result("managed.layout.remove", {"layout_id": made.detail["layout_id"]})
                found.removed_s.append(time.perf_counter() - start)
        except (AssertionError, OSError) as error:
            found.failures.append(str(error)[:500])

    threads = [threading.Thread(target=one, args=(number,)) for number in range(len(benches))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@contextmanager
def _watching(bed: Testbed) -> Iterator[Watched]:
    watched, stop = Watched(), threading.Event()
    pids = {role: process.pid for role, process in bed.tower.processes.items()}
    before = machine.usage(*pids.values()).cpu_s

    def look() -> None:
        while True:
            for role, pid in pids.items():
                watched.rss_mib.setdefault(role, []).append(machine.usage(pid).rss_mib)
            watched.descriptors.append(len(list(Path(f"/proc/{pids['serve']}/fd").iterdir())))
            if stop.wait(SAMPLE_S):
                return

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield watched
    finally:
        stop.set()
        thread.join()
        watched.cpu_s = machine.usage(*pids.values()).cpu_s - before


def _growth(samples: list[float]) -> float:
    third = max(1, len(samples) // 3)
    return fmean(samples[-third:]) / fmean(samples[:third])
