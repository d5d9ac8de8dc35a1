"""Lists that come in pages, as one iterator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agenttower.client.asking import CALL_SECONDS, Ask


@dataclass(frozen=True)
class _Style:
    """How a namespace says pages."""

    rows: str
    cursor: str
    following: str
    size: int


_MANAGED = _Style(rows="items", cursor="after", following="next", size=200)
_APP = _Style(rows="rows", cursor="cursor_next", following="cursor_next", size=200)
_EVENTS = _Style(rows="events", cursor="cursor", following="next_cursor", size=50)


def rows(
    ask: Ask, method: str, params: Mapping[str, Any], timeout: float = CALL_SECONDS
) -> Iterator[dict[str, Any]]:
    """Every row of a paged list, a page at a time: no request is made before a row is wanted.

    :param method: one of ``managed.*.list``, ``app.*.list`` or ``events.list``.
    :param params: its parameters; ``limit`` is the size of a page.
    """
    style = _style_of(method)
    place: dict[str, Any] = {}
    while True:
        page = ask(method, {"limit": style.size, **params, **place}, timeout)
        yield from page[style.rows]
        following = page.get(style.following)
        if following is None:
            return
        place = {style.cursor: following}


def _style_of(method: str) -> _Style:
    if method == "events.list":
        return _EVENTS
    if method.startswith("app.") and not method.startswith("app.managed_"):
        return _APP
    if method in ("managed.event.list", "queue.list"):
        raise ValueError(f"{method} has no pages of this kind; use client.call")
    return _MANAGED
