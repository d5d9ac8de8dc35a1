"""Five hundred connections that send nothing or half a request: what others notice of them."""

from __future__ import annotations

from contextlib import closing

from benchmarks import machine
from benchmarks.crowd import Asked, Crowd, Silence
from benchmarks.report import Measure, Ratio, Section
from benchmarks.scope import Scope
from benchmarks.stats import summarise
from benchmarks.testbed import Testbed, testbed

SILENT = 500
CLIENTS = 20
PAUSE_S = 0.05
READS: list[Asked] = [("ping", {}), ("managed.layout.list", {"limit": 50}), ("status", {})]


def run(scope: Scope) -> Section:
    """The same clients with and without them, in turns, so that a busy minute troubles both."""
    seconds = scope.count(15, 4)
    without: list[float] = []
    beside: list[float] = []
    with testbed(scope.engine()) as bed:
        bed.create(bed.bench(), "kept")
        rss = {"without": _rss(bed)}
        for _ in range(scope.count(3, 1)):
            without += _took(bed, seconds)
            with closing(Silence(bed.tower.socket_path, SILENT)):
                beside += _took(bed, seconds)
                rss["with"] = _rss(bed)
    quiet, troubled = summarise(without), summarise(beside)
    return Section(
        f"{SILENT} silent connections beside {CLIENTS} clients",
        [
            Measure("an answer without them", "ms", without),
            Measure(
                "an answer with them", "ms", beside, note="made again when their 10 s are over"
            ),
        ],
        ratios=[
            Ratio("median, with / without", troubled.median / quiet.median),
            Ratio("p99, with / without", troubled.p99 / quiet.p99),
        ],
        notes=[
            f"RSS of serve: {rss['without']:.0f} MiB before, {rss['with']:.0f} MiB with them; "
            "no error."
        ],
    )


def _took(bed: Testbed, seconds: float) -> list[float]:
    found = Crowd(bed.tower.socket_path, READS, CLIENTS, seconds, PAUSE_S).found()
    assert not found.errors, found.errors[:5]
    return [one for took in found.took.values() for one in took]


def _rss(bed: Testbed) -> float:
    return machine.usage(bed.tower.processes["serve"].pid).rss_mib
