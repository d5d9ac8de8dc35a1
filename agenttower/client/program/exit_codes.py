"""Exit codes: those of the full command (``agenttower/cli/exit_codes.py``), as far as needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

OK = 0
INTERNAL = 1
USAGE = 2
REFUSED = 3
FAILED = 4
DEGRADED = 5
UNREACHABLE = 6
TIMED_OUT = 7
INTERRUPTED = 130
OUTPUT_CLOSED = 141

_OF_STATES = {"failed": FAILED, "degraded": DEGRADED, "creating": TIMED_OUT}


def of_state(state: str) -> int:
    """How a creation ended."""
    return _OF_STATES.get(state, OK)


def of_prompts(prompts: Iterable[Mapping[str, Any]]) -> int:
    """How sending ended."""
    states = {prompt["state"] for prompt in prompts}
    if states & {"failed", "canceled"}:
        return FAILED
    if "blocked" in states:
        return REFUSED
    return TIMED_OUT if "queued" in states else OK
