"""All declarations by name, gathered from the modules of this package."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache

import agenttower.protocol
from agenttower.protocol.declaration import Declaration
from agenttower.protocol.errors import FRAMING, LEGACY, NAMESPACES, codes_of, namespace_of


@cache
def declarations() -> dict[str, Declaration]:
    """Every method of the protocol: the older surfaces, ``managed.*``, ``app.*``, by name in each.

    A module of this package adds a method by having its declaration as a constant.
    """
    found: dict[str, Declaration] = {}
    package = agenttower.protocol
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Declaration):
                assert found.setdefault(value.name, value) is value, f"{value.name} declared twice"
    order = NAMESPACES.index
    return dict(sorted(found.items(), key=lambda item: (order(namespace_of(item[0])), item[0])))


@cache
def codes(namespace: str) -> tuple[str, ...]:
    """Every code that a namespace may answer with, sorted."""
    own = (one for name, one in declarations().items() if namespace_of(name) == namespace)
    framing: Iterable[str] = FRAMING if namespace == LEGACY else ("unknown_method",)
    return tuple(sorted({code for one in own for code in codes_of(one)}.union(framing)))
