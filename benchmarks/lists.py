"""How fast the lists of ``app.*`` are read with none, a thousand and a hundred thousand rows."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.report import Aim, Measure, Ratio, Section
from benchmarks.scope import Scope
from tests.support.panel import Panel, open_panel
from tests.support.walking import WALKS, fill, walk

SIZES = (0, 1_000, 100_000)
BUDGET_MS = 100
"""What app surface, section 21 expects of a list."""
METHODS = tuple(one.method for one in WALKS)
NARROWED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("app.pane.list", {"filters": {"registered": True}}),
    ("app.pane.list", {"filters": {"registered": False}, "order_by": "discovered_at:desc"}),
    ("app.event.list", {"filters": {"event_type": "error"}, "order_by": "observed_at"}),
    ("app.event.list", {"filters": {"agent_id": f"agt_{5:012x}"}}),
    (
        "app.queue.list",
        {"filters": {"sender_agent_id": "host-operator"}, "order_by": "enqueued_at"},
    ),
    ("app.queue.list", {"filters": {"target_agent_id": f"agt_{5:012x}"}}),
)


def run(scope: Scope) -> Section:
    """Request line to answer line in one process: everything but the socket."""
    largest = scope.count(SIZES[-1], 10_000)
    measures: list[Measure] = []
    notes: list[str] = []
    for size in (*SIZES[:-1], largest):
        with tempfile.TemporaryDirectory() as directory, open_panel(Path(directory)) as panel:
            fill(panel.store, size)
            measures += _first_pages(panel, size, scope.count(200, 50))
            if size != largest:
                continue
            measures += _further_pages(panel, size, scope.count(100, 20))
            measures += _narrowed(panel, size, scope.count(50, 10))
            came = {one.method: walk(panel, one) for one in WALKS}
            told = ", ".join(f"{count:,} of {method}" for method, count in came.items())
            notes.append(f"Walked whole while rows came, each row once: {told}.")
    at = {(m.name, m.note): m.summary.median for m in measures}
    ratios = [
        Ratio(f"{method}, {largest:,} rows / none", at[method, _of(largest)] / at[method, _of(0)])
        for method in METHODS
    ]
    return Section("Lists of app.*", measures, ratios=ratios, notes=notes)


def _first_pages(panel: Panel, size: int, count: int) -> list[Measure]:
    return [
        Measure(method, "ms", _times(panel, method, {}, count), _aims(), _of(size))
        for method in METHODS
    ]


def _further_pages(panel: Panel, size: int, count: int) -> list[Measure]:
    measures = []
    for method in METHODS:
        took, asked = [], {"limit": 200}
        for _ in range(count):
            start = time.perf_counter()
            page = panel.result(method, **asked)
            took.append((time.perf_counter() - start) * 1e3)
            asked = {"limit": 200, "cursor_next": page["cursor_next"]}
        measures.append(
            Measure(f"{method}, pages of 200 one after another", "ms", took, _aims(), _of(size))
        )
    return measures


def _narrowed(panel: Panel, size: int, count: int) -> list[Measure]:
    return [
        Measure(
            f"{method}, {_said(params)}",
            "ms",
            _times(panel, method, params, count),
            _aims(),
            _of(size),
        )
        for method, params in NARROWED
    ]


def _times(panel: Panel, method: str, params: dict[str, Any], count: int) -> list[float]:
    """Milliseconds of a first page with its total."""
    took = []
    for _ in range(count):
        start = time.perf_counter()
        panel.result(method, **params)
        took.append((time.perf_counter() - start) * 1e3)
    return took


def _said(params: dict[str, Any]) -> str:
    order = [f"by {params['order_by']}"] if "order_by" in params else []
    return ", ".join([*(f"{name} = {value}" for name, value in params["filters"].items()), *order])


def _aims() -> list[Aim]:
    return [Aim("p99", BUDGET_MS)]


def _of(size: int) -> str:
    return f"{size:,} rows"
