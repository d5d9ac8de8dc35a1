"""Time that only moves when told, for every module of the product that reads a clock."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from agenttower import crashpoints
from agenttower.clock import SECOND, Micros


class FakeTime:
    """Stands in for the module :mod:`time`; called, it is a :data:`agenttower.clock.Clock`."""

    def __init__(self, now: Micros = 1_000_000 * SECOND) -> None:
        self.now = now

    def __call__(self) -> Micros:
        return self.now

    def time_ns(self) -> int:
        return self.now * 1000

    def time(self) -> float:
        return self.now / SECOND

    def monotonic(self) -> float:
        return self.now / SECOND

    def sleep(self, seconds: float) -> None:
        self.now += max(1, math.ceil(seconds * SECOND))

    def until(self, monotonic: float) -> None:
        """Let it be that point of :meth:`monotonic`, unless it is later already."""
        self.now = max(self.now, math.ceil(monotonic * SECOND))


@contextmanager
def installed(fake: FakeTime, crash_point: Callable[[str], None]) -> Iterator[None]:
    """Every loaded module of the product sees ``fake`` for ``time``, and ``crash_point``."""
    with ExitStack() as stack:
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] not in ("agenttower", "workers"):
                continue
            if getattr(module, "time", None) is time:
                stack.enter_context(patch.object(module, "time", fake))
            if module is not crashpoints and hasattr(module, "crash_point"):
                stack.enter_context(patch.object(module, "crash_point", crash_point))
        yield
