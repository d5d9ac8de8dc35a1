"""Durable steps a second on SQLite: ours against plain Huey and DBOS, and what each survives."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks import chains
from benchmarks.chains import Run
from benchmarks.isolation import isolated
from benchmarks.report import Aim, Measure, Ratio, Section
from benchmarks.scope import Scope

OURS = "kill -9 loses nothing"
HUEY = "kill -9 loses the chain"
DBOS = "kill -9 loses nothing"
NOTES = (
    "**What survives kill -9.** AgentTower: every step; its result, the next step and the next "
    "message are one commit, a fence keeps a late worker from settling, operations of one lane "
    "run in order. DBOS: every workflow; a step whose result was not stored yet runs again, and "
    "recovery is for the executor that restarts. Huey: what is queued; the message is deleted "
    "before the task runs, so a killed worker loses the rest of its chain.",
    "**Disk.** As shipped, Huey and DBOS sync the disk at each commit. Ours does not: `synchronous"
    "` is `normal`, so a power cut may lose the last commits, and ends every pane anyway. Rows "
    "with our pragmas (WAL, `normal`) compare like with like.",
    "**DBOS directly** runs a workflow in the thread that asks for it: nothing is queued and no "
    "other process could take it. **DBOS queued** is what ours does: enqueued, then taken by a "
    f"worker; its queue polls, here every {chains.DBOS_POLL_S:g} s.",
)


@dataclass
class Contender:
    """One way to run chains, on a number of threads; 0 where it has its own."""

    name: str
    run: Callable[[Path, int, int], Run]
    threads: int
    chains: int
    after_kill: str
    runs: list[Run] = field(default_factory=list)

    @property
    def title(self) -> str:
        if not self.threads:
            return f"{self.name}, its own threads"
        return f"{self.name}, {self.threads} thread{'s' if self.threads > 1 else ''}"

    @property
    def rate(self) -> float:
        """Steps a second, queueing counted in."""
        return median(run.full_rate for run in self.runs)


def run(scope: Scope) -> Section:
    """All contenders in turn, several rounds, so that a busy machine troubles all alike."""
    found = _contenders(scope.count(1000, 100), scope.count(250, 30))
    for _ in range(scope.count(4, 1)):
        for contender in found:
            with TemporaryDirectory() as folder:
                contender.runs.append(
                    isolated(
                        _quietly, contender.run, Path(folder), contender.chains, contender.threads
                    )
                )
    drained = [
        Measure(
            f"{c.title}: drained", "steps/s", [run.drain_rate for run in c.runs],
            [Aim("median", 1000, at_least=True)], "all queued before the start",
        )
        for c in found
        if c.run is chains.ours
    ]  # fmt: skip
    rates = [
        Measure(c.title, "steps/s", [run.full_rate for run in c.runs], note=c.after_kill)
        for c in found
    ]
    cpu = [
        Measure(f"{c.title}: CPU", "ms/step", [r.cpu_s / r.steps * 1e3 for r in c.runs])
        for c in found
    ]
    return Section(
        "Durable steps on SQLite: chains of four",
        [*drained, *rates],
        ratios=_ratios(found),
        breakdown=cpu,
        notes=NOTES,
    )


def _ratios(found: list[Contender]) -> list[Ratio]:
    """Our best number of threads against each rival's best."""
    best: dict[str, Contender] = {}
    for contender in sorted(found, key=lambda c: c.rate):
        best[contender.name] = contender
    ours = best.pop("AgentTower")
    return [
        Ratio(
            f"AgentTower / {rival.title}",
            ours.rate / rival.rate,
            at_least=3.0 if rival.name.startswith("DBOS") else None,
        )
        for rival in sorted(best.values(), key=lambda c: c.name)
    ]


def _contenders(many: int, few: int) -> list[Contender]:
    relaxed, shipped = "our pragmas", "as shipped"
    found = [Contender("AgentTower", chains.ours, t, many, OURS) for t in (1, 2, 4, 8)]
    for threads in (1, 4):
        found += [
            Contender(f"SqlHuey, {relaxed}", chains.sql_huey_relaxed, threads, many, HUEY),
            Contender(f"SqliteHuey, {relaxed}", chains.sqlite_huey_relaxed, threads, many, HUEY),
            Contender(f"SqliteHuey, {shipped}", chains.sqlite_huey, threads, few, HUEY),
            Contender(f"DBOS directly, {relaxed}", chains.dbos_relaxed, threads, few, DBOS),
            Contender(f"DBOS directly, {shipped}", chains.dbos, threads, few, DBOS),
        ]
    found.append(Contender(f"DBOS queued, {relaxed}", chains.dbos_queued_relaxed, 0, few, DBOS))
    return found


def _quietly(
    way: Callable[[Path, int, int], Run], directory: Path, count: int, threads: int
) -> Run:
    """Without the log lines that each task would write."""
    logging.disable(logging.WARNING)
    return way(directory, count, threads)
