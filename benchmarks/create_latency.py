"""How long ``1m+2s`` takes from request to ready, and where the time goes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from subprocess import CalledProcessError
from typing import Any

from docker.models.containers import Container

from benchmarks import floors
from benchmarks.report import Aim, Measure, Ratio, Section
from benchmarks.scope import Scope
from benchmarks.testbed import Creation, Testbed, testbed

WARM_PER_CONTAINER = 3


def run(scope: Scope) -> Section:
    """Cold, warm, after a restart, and by other ways."""
    with testbed(scope.engine()) as bed:
        cold, warm = _cold_and_warm(bed, containers=scope.count(10, 2))
    with testbed(scope.engine()) as bed:
        bench = bed.bench()
        restarted = _after_restarts(bed, bench, count=scope.count(8, 1))
        others, notes = _other_ways(bed, bench, count=scope.count(8, 1))
    totals = [creation.total_s for creation in warm]
    measures = [
        Measure("warm channel", "s", totals, [Aim("median", 1.10)]),
        Measure(
            "cold channel", "s", [c.total_s for c in cold], [Aim("median", 1.30)],
            "first layout of a container, processes running",
        ),
        Measure(
            "fresh processes", "s", [c.total_s for c in restarted], [Aim("median", 1.30)],
            "first layout after a start of serve and worker",
        ),
        Measure(
            "accepted, warm", "ms", [c.accept_s * 1e3 for c in warm],
            [Aim("median", 10), Aim("p99", 40)], "request to committed answer",
        ),
        Measure("accepted, cold", "ms", [c.accept_s * 1e3 for c in cold]),
        Measure("accepted, fresh processes", "ms", [c.accept_s * 1e3 for c in restarted]),
        *others,
    ]  # fmt: skip
    ours = measures[0].summary.median
    floor = Ratio("warm / the 1.0 s launch window", ours / floors.LAUNCH_WINDOW_S)
    return Section(
        "Creating 1m+2s in a real container",
        measures,
        ratios=[floor, *(Ratio(f"{m.name} / warm", m.summary.median / ours) for m in others)],
        breakdown=_breakdown(warm),
        notes=notes,
    )


def _cold_and_warm(bed: Testbed, containers: int) -> tuple[list[Creation], list[Creation]]:
    """The first layout of each container, and those that follow in it."""
    cold, warm = [], []
    for number in range(containers):
        bench = bed.bench()
        cold.append(bed.create(bench, f"cold{number}"))
        warm += [bed.create(bench, f"warm{number}-{i}") for i in range(WARM_PER_CONTAINER)]
    return cold, warm


def _after_restarts(bed: Testbed, bench: Container, count: int) -> list[Creation]:
    found = []
    for number in range(count):
        bed.restart()
        found.append(bed.create(bench, f"restart{number}"))
    return found


def _other_ways(bed: Testbed, bench: Container, count: int) -> tuple[list[Measure], list[str]]:
    """The floors, and tmuxp as it would be used on a container."""

    def times(way: Callable[[str], float]) -> list[float]:
        found = []
        for number in range(count):
            session = f"floor{number}"
            found.append(way(session))
            floors.forget(bench, session)
        return found

    window = "with the 1 s window; nothing survives a crash"
    measures = [
        Measure(
            "one exec per tmux command", "s",
            times(lambda name: floors.by_single_execs(bench, name)), note=window,
        ),
        Measure(
            "batched into two execs", "s",
            times(lambda name: floors.by_batched_execs(bench, name)), note=window,
        ),
    ]  # fmt: skip
    try:
        made = times(lambda name: floors.by_tmuxp(bench, name, bed.engine.url))
    except (FileNotFoundError, CalledProcessError) as error:
        return measures, [f"tmuxp was left out: {error}"]
    note = "panes only: no window, no log, no identity; with Python's start"
    return [*measures, Measure("tmuxp load -d", "s", made, note=note)], []


def _breakdown(creations: Sequence[Creation]) -> list[Measure]:
    """Milliseconds of each stage (claimed to settled) and of what lies between the stages."""
    spans: dict[str, list[float]] = defaultdict(list)
    for creation in creations:
        for name, seconds in _spans(creation):
            spans[name].append(seconds * 1e3)
    return [Measure(name, "ms", samples) for name, samples in spans.items()]


def _spans(creation: Creation) -> list[tuple[str, float]]:
    panes = sorted(creation.detail["panes"], key=lambda pane: int(pane["slot"]))
    ended = creation.requested_at
    found = []
    for place, pane in enumerate(panes):
        started, finished = _stage(pane, "pane_create")
        gap = "settled → next pane claimed" if place else "request → first pane claimed"
        found += [(gap, started - ended)]
        found += [("first pane_create" if not place else "further pane_create", finished - started)]
        ended = finished
    for pane in panes:
        made = _stage(pane, "pane_create")[1]
        probed = _stage(pane, "launch_command")[1]
        registered, attached = _stage(pane, "registration"), _stage(pane, "log_attach")
        found += [
            ("end of the launch window → probe settled", probed - made - floors.LAUNCH_WINDOW_S),
            ("→ registration claimed", registered[0] - probed),
            ("registration", registered[1] - registered[0]),
            ("→ log_attach claimed", attached[0] - registered[1]),
            ("log_attach", attached[1] - attached[0]),
        ]
        ended = max(ended, attached[1])
    told = creation.requested_at + creation.total_s
    return [*found, ("last pane settled → client told", told - ended)]


def _stage(pane: dict[str, Any], stage: str) -> tuple[float, float]:
    """Unix seconds of a stage's claim and settling."""
    shown = pane["stages"][stage]
    return _unix(shown["started_at"]), _unix(shown["finished_at"])


def _unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
