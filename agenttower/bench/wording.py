"""What other programs say, made fit for a message of ours."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def one_line(text: str) -> str:
    """``text`` without control characters, which could drive the terminal that shows a message."""
    return " ".join(_CONTROL.sub(" ", text).split())
