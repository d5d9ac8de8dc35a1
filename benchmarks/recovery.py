"""What a crash costs: the front end's look at forty layouts, and the worker's way back to work."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from docker.models.containers import Container

from benchmarks.burst import CONTAINERS, fill
from benchmarks.report import Aim, Measure, Section
from benchmarks.scope import Scope
from benchmarks.testbed import Testbed, testbed
from tests.support.layouts import create, settled
from tests.support.waiting import wait_until

TEMPLATES = ("2m+2s",) * 4
"""Of each container: 16 panes, so 160 in all."""
RECONCILED = re.compile(r"recovery: (\d+) of (\d+) containers judged in (\d+\.\d+) s")


def run(scope: Scope) -> Section:
    """``kill -9`` of ``serve`` with 160 panes there, and of ``worker`` amid new layouts."""
    times = scope.count(9, 2)
    with testbed(scope.engine()) as bed:
        empty = [_start_again(bed, "serve") for _ in range(times)]
        benches = [bed.bench() for _ in range(CONTAINERS)]
        fill(bed, benches, TEMPLATES)
        full = [_start_again(bed, "serve") for _ in range(times)]
        reconciled = _reconciled(bed.tower.logs())[-times:]
        _make_room(bed)
        resumed = [_resume(bed, benches, number) for number in range(scope.count(7, 2))]
    return Section(
        "After kill -9",
        [
            Measure(
                "boot reconcile: 40 layouts, 160 panes, 10 containers", "s", reconciled,
                [Aim("median", 1)], "all channels opened anew",
            ),
            Measure("serve: start to ping answered, with these", "s", full),
            Measure("serve: start to ping answered, nothing there", "s", empty),
            Measure(
                "worker: start to first step claimed, mid-burst", "s", resumed,
                [Aim("median", 0.5)], "Python's start counted in",
            ),
        ],
        notes=["Every layout was ready in the end."],
    )  # fmt: skip


def _start_again(bed: Testbed, role: str) -> float:
    bed.tower.kill9(role)
    start = time.perf_counter()
    bed.tower.start(role)
    return time.perf_counter() - start


def _reconciled(said: str) -> list[float]:
    """How long each look took whose containers could all be judged."""
    found = RECONCILED.findall(said)
    assert all(judged == asked for judged, asked, _ in found), f"not all were judged: {found}"
    return [float(seconds) for *_, seconds in found]


def _make_room(bed: Testbed) -> None:
    """There may be forty layouts and no more."""
    for layout in bed.tower.result("managed.layout.list", {"limit": CONTAINERS})["items"]:
        bed.tower.result("managed.layout.remove", {"layout_id": layout["layout_id"]})


def _resume(bed: Testbed, benches: Sequence[Container], number: int) -> float:
    """Kill the worker while it makes a layout in every container; the new one must finish them."""
    session, asked = f"again{number}", time.time()
    with ThreadPoolExecutor(len(benches)) as clients:
        made = list(
            clients.map(
                lambda bench: create(bed.tower, bench, "1m+2s", session, label_prefix=session),
                benches,
            )
        )
    wait_until(lambda: _claimed_since(bed, asked) is not None, 10, "the burst to begin")
    bed.tower.kill9("worker")
    started = time.time()
    bed.tower.start("worker")
    wait_until(lambda: _claimed_since(bed, started) is not None, 10, "a step to be claimed")
    claimed = _claimed_since(bed, started)
    assert claimed is not None
    for layout in made:
        detail = settled(bed.tower, layout["layout_id"], 60)
        assert detail["state"] == "ready", detail
        bed.tower.result("managed.layout.remove", {"layout_id": layout["layout_id"]})
    return claimed - started


def _claimed_since(bed: Testbed, moment: float) -> float | None:
    """When the first step since then was claimed."""
    uri = f"file:{bed.tower.home.paths.database}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=5)) as database:
        query = "SELECT MIN(started_at) FROM step WHERE started_at > ?"
        row = database.execute(query, (int(moment * 1e6),)).fetchone()
    return None if row[0] is None else float(row[0]) / 1e6
