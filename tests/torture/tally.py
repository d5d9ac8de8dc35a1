"""What a run counted, and what it found wrong."""

from __future__ import annotations

import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

GRACE_S = 8.0
"""After the disk or the database was to be had again, who waited for it may still fail: the busy
timeout and a little."""


@dataclass
class Tally:
    """Shared by every thread of a run."""

    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By method and ``ok``, ``no answer``, or the code of the error."""
    faults: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    refused_starts: int = 0
    resumed_s: list[float] = field(default_factory=list)
    """From a kill of the worker with work to do until a step is claimed."""
    looks: int = 0
    most_layouts: int = 0
    wrong: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    """Set once something is wrong, or the time is over."""
    journal: list[str] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    storage_troubles: int = 0
    """How often writing began to be impossible."""
    _storage_bad: bool = False
    _storage_until: float = 0.0

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def complain(self, complaints: Iterable[str]) -> None:
        """Note what is wrong; the first complaint ends the run, so that its state can be read."""
        with self._lock:
            for complaint in complaints:
                self.wrong.append(f"{self.now:.2f} s: {complaint}")
                self.stop.set()

    def note(self, line: str) -> None:
        """For the journal that is shown beside what is wrong."""
        with self._lock:
            self.journal.append(f"{self.now:7.2f} s  {line}")

    def count(self, method: str, answer: str) -> None:
        with self._lock:
            self.answers[method, answer] += 1

    @contextmanager
    def storage_trouble(self) -> Iterator[None]:
        """Inside, and shortly after, writing may fail."""
        self.storage_troubles += 1
        self._storage_bad = True
        try:
            yield
        finally:
            self._storage_until = time.monotonic() + GRACE_S
            self._storage_bad = False

    @property
    def storage_is_whole(self) -> bool:
        """The disk has room and the database is free, as far as the test knows."""
        return not self._storage_bad

    @property
    def storage_is_trusted(self) -> bool:
        """It has been whole for so long that nobody may fail for it any more."""
        return not self._storage_bad and time.monotonic() > self._storage_until

    def lines(self) -> Iterator[str]:
        """The counts, for people."""
        methods: dict[str, list[str]] = {}
        for (method, answer), number in sorted(self.answers.items()):
            methods.setdefault(method, []).append(f"{number} {answer}")
        asked = sum(self.answers.values())
        yield f"requests         {asked}"
        for method, found in methods.items():
            yield f"  {method:<24} {', '.join(found)}"
        yield f"kills survived   {counts(self.kills)}"
        yield f"faults           {counts(self.faults)}"
        yield f"refused starts   {self.refused_starts} (database locked or disk full)"
        if self.resumed_s:
            median, worst = statistics.median(self.resumed_s), max(self.resumed_s)
            yield (
                f"resume           {len(self.resumed_s)} kills with work to do; from the kill to"
                f" the first step claimed: median {median:.2f} s, worst {worst:.2f} s"
            )
        yield f"invariants       {self.looks} looks; at most {self.most_layouts} layouts stood"


def counts(counter: Counter[str]) -> str:
    """The whole and its parts, for people."""
    parts = ", ".join(f"{number} {name}" for name, number in sorted(counter.items()))
    return f"{sum(counter.values())}: {parts}" if parts else "none"
