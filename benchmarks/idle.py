"""What both processes use while nothing happens."""

from __future__ import annotations

import time

from benchmarks import machine
from benchmarks.report import Aim, Measure, Section
from benchmarks.scope import Scope
from benchmarks.testbed import testbed

CALM_DOWN_S = 3.0


def run(scope: Scope) -> Section:
    """Some windows of idling, with one layout there and its channel open.

    A full run is longer than a minute, so that what comes every half minute and every minute is in
    it; hence the mean.
    """
    window_s = scope.count(10, 4)
    cpu, wakeups, rss, pss = [], [], [], []
    with testbed(scope.engine()) as bed:
        bed.create(bed.bench(), "idle")
        time.sleep(CALM_DOWN_S)
        for _ in range(scope.count(7, 2)):
            before, start = machine.usage(*bed.pids()), time.perf_counter()
            time.sleep(window_s)
            after, seconds = machine.usage(*bed.pids()), time.perf_counter() - start
            cpu.append((after.cpu_s - before.cpu_s) / seconds * 100)
            wakeups.append((after.wakeups - before.wakeups) / seconds)
            rss.append(after.rss_mib)
            pss.append(machine.pss_mib(*bed.pids()))
        each = {role: machine.usage(p.pid) for role, p in bed.tower.processes.items()}
    return Section(
        "Idle: serve and worker together",
        [
            Measure("CPU", "% of a core", cpu, [Aim("mean", 1)], f"windows of {window_s} s"),
            Measure("memory (RSS)", "MiB", rss, [Aim("high", 120)]),
            Measure("memory (PSS)", "MiB", pss, note="what is shared counted once"),
            Measure("wake-ups", "per s", wakeups, note="all threads of both"),
        ],
        notes=[f"RSS of {role}: {used.rss_mib:.0f} MiB." for role, used in each.items()],
    )
