"""Text from tmux, Docker and clients, made fit to be kept (legacy surfaces part 1, section 4)."""

from __future__ import annotations

import re

_BLANK = re.compile(r"[\t\n]")
# Lone surrogates are no text: neither the database nor JSON in UTF-8 can hold them.
_UNFIT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")

MAX_TEXT = 2048
"""Characters of a text field of a pane."""
MAX_PATH = 4096
MAX_LABEL = 64
MAX_APP_LABEL = 256
"""What ``app.*`` allows for a label (app surface, section 14)."""


def clean(text: str) -> str:
    """``text`` without C0 controls and DEL; a tab and a newline become a space."""
    return _UNFIT.sub("", _BLANK.sub(" ", text))


def project_path_problem(path: str) -> str | None:
    """Why this cannot be an agent's ``project_path``; ``None`` where it can (section 8.3).

    Whether it exists is not asked: it is a path in a bench.
    """
    if not path.startswith("/"):
        return "must be an absolute path"
    if ".." in path.split("/"):
        return "must not have a '..' in it"
    if _UNFIT.search(path) or _BLANK.search(path):
        return "must not have control characters in it"
    return None
