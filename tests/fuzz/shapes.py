"""What each method takes and promises, as far as it is declared (``agenttower.protocol``)."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import msgspec

from agenttower import protocol
from agenttower.protocol.declaration import Declaration
from agenttower.rpc.method import Method

Shape = type[msgspec.Struct]


@cache
def declarations() -> dict[str, Declaration]:
    """Every declared method by its name, wherever below ``agenttower.protocol`` it stands."""
    found = {}
    for module in pkgutil.walk_packages(protocol.__path__, f"{protocol.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            for one in _members(value):
                if isinstance(one, Declaration):
                    found[one.name] = one
    return found


def shape_of(name: str, method: Method[Any]) -> Shape | None:
    """The struct of ``params``: the declared one, else the one that the decoder was made for."""
    declared = declarations().get(name)
    if declared is not None:
        return declared.params
    return next(iter(_structs_in(method.decode)), None)


def _members(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list | tuple) else (value,)


def _structs_in(function: object, depth: int = 4) -> Iterable[Shape]:
    """Structs that a decoder holds on to, for methods that are not declared."""
    yield from ()
    for cell in getattr(function, "__closure__", None) or ():
        held = cell.cell_contents
        if isinstance(held, type) and issubclass(held, msgspec.Struct):
            yield held
        elif callable(held) and depth:
            yield from _structs_in(held, depth - 1)
