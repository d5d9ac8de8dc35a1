"""What a row of numbers says: its middle, its tail and its spread."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Summary:
    """Mean and order statistics of a sample. ``iqr`` is the width of its middle half."""

    n: int
    mean: float
    median: float
    p90: float
    p99: float
    low: float
    high: float
    iqr: float


def summarise(samples: Sequence[float]) -> Summary:
    """The summary of at least one number."""
    ordered = sorted(samples)
    return Summary(
        n=len(ordered),
        mean=statistics.fmean(ordered),
        median=statistics.median(ordered),
        p90=percentile(ordered, 90),
        p99=percentile(ordered, 99),
        low=ordered[0],
        high=ordered[-1],
        iqr=percentile(ordered, 75) - percentile(ordered, 25),
    )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of a sorted sample: a number that was really measured."""
    rank = math.ceil(percent / 100 * len(ordered))
    return ordered[max(rank, 1) - 1]
