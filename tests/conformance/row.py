"""One line of the tables: a request, and the envelope that it must be answered with."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal

Given = dict[str, Any]
Where = Literal["scene", "lonely"]


@dataclass(frozen=True)
class Row:
    """``params`` and ``during`` are given the place of :mod:`tests.conformance.scene`."""

    method: str
    params: Given | Callable[[Any], Given] = field(default_factory=dict)
    code: str | None = None
    """``None`` where it succeeds."""
    details: frozenset[str] = frozenset()
    """The exact keys of ``error.details``."""
    asks: Literal["host", "bench"] = "host"
    where: Where = "scene"
    during: Callable[[Any], AbstractContextManager[Any]] | None = None
    """What stands while the request is made."""

    def given(self, place: Any) -> Given:
        return self.params(place) if callable(self.params) else self.params

    def __str__(self) -> str:
        return f"{self.method}-{self.code or 'ok'}"


def ok(method: str, params: Given | Callable[[Any], Given] | None = None, **more: Any) -> Row:
    """A request that succeeds."""
    return Row(method, {} if params is None else params, **more)


def no(
    method: str,
    code: str,
    params: Given | Callable[[Any], Given] | None = None,
    details: str = "",
    **more: Any,
) -> Row:
    """A request that is refused. :param details: the keys, blanks between them."""
    return Row(method, {} if params is None else params, code, frozenset(details.split()), **more)
