"""Named places where a test may kill this process (design.md section 2, point 10).

Inert unless ``AGENTTOWER_CRASH_AT`` names the point; then the process dies by SIGKILL there, which
is what a power cut or the OOM killer looks like to the rest of the system. ``NAME:3`` dies at the
third passage.
"""

from __future__ import annotations

import os
import signal

VARIABLE = "AGENTTOWER_CRASH_AT"

_name, _, _count = os.environ.get(VARIABLE, "").partition(":")
_remaining = int(_count or 1)


def crash_point(name: str) -> None:
    """Die here if armed for ``name``, written ``<step>.<moment>``: ``pane_create.effect_done``."""
    global _remaining
    if name != _name:
        return
    _remaining -= 1
    if _remaining <= 0:
        os.kill(os.getpid(), signal.SIGKILL)
