"""Why something is not well, in words that may stand on the wire (app surface, section 10)."""

from __future__ import annotations

import re

LIMIT = 512
_CUT = "..."

# "and/or" is no path, and neither is the "/" of a date or of a fraction.
_PATH = re.compile(r"(?:\b[a-z][a-z0-9+.]*:/|(?<![\w/]))/[^\s'\"(),;]+")


def reason_line(text: str, limit: int = LIMIT) -> str:
    """``text`` as one line without absolute paths, of at most ``limit`` characters.

    What is longer ends in ``...``. Addresses such as ``unix:///run/x`` count as paths.

    >>> reason_line("not\\n/run/docker.sock: refused")
    'not (path): refused'
    """
    line = _PATH.sub(_instead, " ".join(text.split()))
    line = "".join(character if character.isprintable() else " " for character in line)
    return line if len(line) <= limit else line[: limit - len(_CUT)] + _CUT


def _instead(path: re.Match[str]) -> str:
    """A path may end a sentence, or stand before what is said of it."""
    return "(path)" + path[0][len(path[0].rstrip(".:")) :]
