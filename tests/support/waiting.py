"""Waiting by condition with a deadline; a test never just sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], deadline_s: float, what: str) -> T:
    """Call ``condition`` until it is true, and return what it gave.

    :param deadline_s: seconds from now.
    :param what: completes the sentence "waited … s for …".
    :raises AssertionError: the deadline passed; names the last value seen.
    """
    deadline = time.monotonic() + deadline_s
    pause = 0.005
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {deadline_s:g} s for {what}; last seen: {value!r}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
