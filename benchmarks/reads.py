"""How fast lists and details are read through the socket, with forty layouts there."""

from __future__ import annotations

import time
from typing import Any

from benchmarks import burst
from benchmarks.report import Aim, Measure, Ratio, Section
from benchmarks.scope import Scope
from benchmarks.testbed import Testbed, testbed


def run(scope: Scope) -> Section:
    """One client, one request after another, each on a connection of its own."""
    count = scope.count(1000, 100)
    with testbed(scope.engine()) as bed:
        layouts = burst.fill(bed, [bed.bench() for _ in range(burst.CONTAINERS)]).layouts
        first = {"layout_id": layouts[0]["layout_id"]}
        ping = _times(bed, "ping", {}, count)
        listed = _times(bed, "managed.layout.list", {"limit": 50}, count)
        detail = _times(bed, "managed.layout.detail", first, count)
        panes = _times(bed, "managed.pane.list", {"limit": 200}, count // 4)
    measures = [
        Measure("ping", "ms", ping, note="the floor: socket, peer check, envelope"),
        Measure("list of 40 layouts", "ms", listed, [Aim("p99", 10)]),
        Measure("layout detail", "ms", detail, [Aim("p99", 10)], "4 panes, 16 stages"),
        Measure("list of 140 panes", "ms", panes, note="560 stages"),
    ]
    floor, *rest = measures
    return Section(
        "Reading with 40 layouts and 140 panes",
        measures,
        ratios=[Ratio(f"{m.name} / ping", m.summary.median / floor.summary.median) for m in rest],
        notes=[f"One client makes {1e3 * count / sum(listed):.0f} list requests a second."],
    )


def _times(bed: Testbed, method: str, params: dict[str, Any], count: int) -> list[float]:
    """Milliseconds from connecting to the decoded answer."""
    took = []
    for _ in range(count):
        start = time.perf_counter()
        bed.tower.result(method, params)
        took.append((time.perf_counter() - start) * 1e3)
    return took
