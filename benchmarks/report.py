"""The shape of results, and how they are written down: JSON to keep, Markdown to read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from benchmarks.stats import Summary, summarise

Statistic = Literal["mean", "median", "p99", "high"]


@dataclass(frozen=True, slots=True)
class Aim:
    """What design.md section 8 asks of one statistic of a measure."""

    statistic: Statistic
    limit: float
    at_least: bool = False

    def met(self, summary: Summary) -> bool:
        value = float(getattr(summary, self.statistic))
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"{self.statistic} {'≥' if self.at_least else '≤'} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class Measure:
    """One row of numbers. ``note`` says under which conditions, or with which guarantees."""

    name: str
    unit: str
    samples: Sequence[float]
    aims: Sequence[Aim] = ()
    note: str = ""

    @property
    def summary(self) -> Summary:
        return summarise(self.samples)


@dataclass(frozen=True, slots=True)
class Ratio:
    """Two measures of one run against each other: what stays true on another machine."""

    name: str
    value: float
    at_least: float | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """What one benchmark found."""

    title: str
    measures: Sequence[Measure]
    ratios: Sequence[Ratio] = ()
    breakdown: Sequence[Measure] = ()
    """What explains the measures, e.g. where their time went."""
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Ran:
    """A section, and the state of the machine around it."""

    name: str
    section: Section
    seconds: float
    load_before: float
    load_after: float


@dataclass
class Report:
    """Everything of one run of ``python -m benchmarks``."""

    started_at: str
    quick: bool
    machine: Mapping[str, str]
    ran: list[Ran] = field(default_factory=list)
    not_run: dict[str, str] = field(default_factory=dict)
    """Benchmark to reason."""

    def as_json(self) -> str:
        """All samples and summaries."""
        document = asdict(self)
        for ran, kept in zip(document["ran"], self.ran, strict=True):
            for key in ("measures", "breakdown"):
                for row, measure in zip(
                    ran["section"][key], getattr(kept.section, key), strict=True
                ):
                    row["summary"] = asdict(measure.summary)
        return json.dumps(document, indent=1)

    def as_markdown(self) -> str:
        """Tables to read."""
        kind = "quick run: few samples, for a first look only" if self.quick else "full run"
        lines = [f"# Benchmarks, {self.started_at}", "", f"{kind.capitalize()}.", ""]
        lines += [f"- {name}: {value}" for name, value in self.machine.items()]
        for ran in self.ran:
            lines += ["", *_section(ran)]
        lines += [f"\n**{name} was not run:** {why}" for name, why in self.not_run.items()]
        return "\n".join(lines) + "\n"


def _section(ran: Ran) -> Iterator[str]:
    section = ran.section
    yield f"## {section.title}"
    yield ""
    yield (
        f"`{ran.name}`, {ran.seconds:.0f} s; load average {ran.load_before:.1f} before, "
        f"{ran.load_after:.1f} after."
    )
    yield from _table(section.measures)
    if section.ratios:
        yield from ("", "| within this run | ratio | aim |", "|---|---|---|")
        yield from (_ratio_row(ratio) for ratio in section.ratios)
    if section.breakdown:
        yield from ("", "In detail:")
        yield from _table(section.breakdown)
    for note in section.notes:
        yield from ("", note)


def _table(measures: Sequence[Measure]) -> Iterator[str]:
    yield ""
    yield "| measure | unit | n | mean | median | p90 | p99 | range | IQR | aim | note |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for measure in measures:
        found = measure.summary
        numbers = (found.mean, found.median, found.p90, found.p99)
        spread = (f"{number(found.low)} to {number(found.high)}", number(found.iqr))
        aims = "; ".join(f"{aim}: {_verdict(aim.met(found))}" for aim in measure.aims)
        cells = (
            measure.name, measure.unit, str(found.n), *map(number, numbers), *spread, aims,
            measure.note,
        )  # fmt: skip
        yield f"| {' | '.join(cells)} |"


def _ratio_row(ratio: Ratio) -> str:
    aim = ""
    if ratio.at_least is not None:
        aim = f"≥ {ratio.at_least:g}: {_verdict(ratio.value >= ratio.at_least)}"
    return f"| {ratio.name} | {ratio.value:.2f} | {aim} |"


def _verdict(met: bool) -> str:
    return "met" if met else "**missed**"


def number(value: float) -> str:
    """A number with three digits that count, and no exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 or value == 0 else f"{value:.4f}"
