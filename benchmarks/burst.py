"""Forty layouts at once: 140 panes over 10 containers, from the first request to all ready."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from docker.models.containers import Container

from benchmarks import machine
from benchmarks.report import Aim, Measure, Section
from benchmarks.scope import Scope
from benchmarks.testbed import Testbed, testbed
from tests.support.layouts import create
from tests.support.waiting import wait_until

CONTAINERS = 10
TEMPLATES = ("1m+2s", "2m+2s", "1m+2s", "2m+2s")
"""Of each container: 14 panes, so 140 in all."""


@dataclass(frozen=True, slots=True)
class Burst:
    """What forty layouts took."""

    all_ready_s: float
    accept_s: list[float]
    tower_cpu_s: float
    tower_rss_mib: float
    engine_cpu_s: float | None
    layouts: list[dict[str, Any]]


def run(scope: Scope) -> Section:
    """Some bursts, each on fresh containers and a fresh tower."""
    bursts = []
    for _ in range(scope.count(5, 1)):
        with testbed(scope.engine()) as bed:
            bursts.append(fill(bed, [bed.bench() for _ in range(CONTAINERS)]))
    measures = [
        Measure(
            "40 layouts, 140 panes, all ready", "s", [b.all_ready_s for b in bursts],
            [Aim("median", 6)], "channels cold; floor 4 s: four launch windows in a row",
        ),
        Measure(
            "accepted, 10 clients at once", "ms",
            [seconds * 1e3 for b in bursts for seconds in b.accept_s],
            note="the first of each container opens a channel",
        ),
        Measure("CPU of serve and worker", "s", [b.tower_cpu_s for b in bursts]),
        Measure(
            "memory of serve and worker after it (RSS)", "MiB", [b.tower_rss_mib for b in bursts],
            [Aim("high", 120)],
        ),
    ]  # fmt: skip
    engine = [b.engine_cpu_s for b in bursts if b.engine_cpu_s is not None]
    if engine:
        note = "others who use that engine are in it"
        measures.append(Measure("CPU of dockerd and containerd", "s", engine, note=note))
    return Section("A burst of 40 layouts over 10 containers", measures)


def fill(bed: Testbed, benches: Sequence[Container], templates: Sequence[str] = TEMPLATES) -> Burst:
    """Ask for all layouts, one client a container, and wait until each is ready.

    The end is read off the rows, so that looking whether it has come does not matter.
    """
    engine = machine.engine_pids(bed.engine.url)
    tower_before, engine_before = machine.usage(*bed.pids()), machine.usage(*engine)
    start = time.time()
    with ThreadPoolExecutor(len(benches)) as clients:
        accepted = [
            seconds
            for found in clients.map(
                lambda i: _ask(bed, i, benches[i], templates), range(len(benches))
            )
            for seconds in found
        ]
    wait_until(lambda: not _creating(bed), 60, "the burst to settle")
    tower_after, engine_after = machine.usage(*bed.pids()), machine.usage(*engine)
    layouts = bed.tower.result("managed.layout.list", {"limit": 200})["items"]
    failed = [layout for layout in layouts if layout["state"] != "ready"]
    assert not failed, f"{len(failed)} layouts did not become ready: {failed}\n{bed.tower.logs()}"
    return Burst(
        all_ready_s=max(_ready_at(bed, layout) for layout in layouts) - start,
        accept_s=accepted,
        tower_cpu_s=tower_after.cpu_s - tower_before.cpu_s,
        tower_rss_mib=tower_after.rss_mib,
        engine_cpu_s=engine_after.cpu_s - engine_before.cpu_s if engine else None,
        layouts=layouts,
    )


def _ask(bed: Testbed, number: int, bench: Container, templates: Sequence[str]) -> list[float]:
    """Ask for a container's layouts; returns how long each answer took."""
    took = []
    for place, template in enumerate(templates):
        session, start = f"s{number}-{place}", time.perf_counter()
        create(bed.tower, bench, template, session, label_prefix=f"{session}-")
        took.append(time.perf_counter() - start)
    return took


def _creating(bed: Testbed) -> bool:
    asked = bed.tower.result("managed.layout.list", {"state": "creating", "limit": 1})
    return bool(asked["items"])


def _ready_at(bed: Testbed, layout: dict[str, Any]) -> float:
    detail = bed.tower.result("managed.layout.detail", {"layout_id": layout["layout_id"]})
    return datetime.fromisoformat(detail["updated_at"]).timestamp()
