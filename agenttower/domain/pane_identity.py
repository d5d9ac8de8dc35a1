"""Which pane an identity of six parts means (app surface, section 14). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

FIELDS = (
    "container_id",
    "tmux_socket",
    "session_name",
    "window_index",
    "pane_index",
    "pane_id",
)
"""The parts in the order in which they are compared, by their names in ``app.*``."""

Identity = Sequence[object]
"""The six parts in that order."""


def mismatch(wanted: Identity, discovered: Iterable[Identity]) -> str | None:
    """The first part in which ``wanted`` is none of the discovered panes; ``None``: it is one.

    Only panes of the wanted ``pane_id`` are compared, and of these the one that agrees longest
    counts. Where there is none of that id, it is ``pane_id`` that is wrong.

    >>> mismatch(("c", "/s", "a", 0, 0, "%1"), [("c", "/s", "b", 0, 0, "%1")])
    'session_name'
    """
    namesakes = [one for one in discovered if one[-1] == wanted[-1]]
    if not namesakes:
        return FIELDS[-1]
    longest = max(_agreeing(wanted, one) for one in namesakes)
    return None if longest == len(FIELDS) else FIELDS[longest]


def _agreeing(wanted: Identity, other: Identity) -> int:
    """How many parts are the same from the left."""
    differing = (n for n, (one, two) in enumerate(zip(wanted, other, strict=True)) if one != two)
    return next(differing, len(FIELDS))
