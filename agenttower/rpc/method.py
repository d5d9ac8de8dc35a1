"""What a method of the socket is: an entry in a table, and a call of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from agenttower.protocol.declaration import Declaration, Gate, Params
from agenttower.services.caller import Caller

__all__ = [
    "DEFAULT_DEADLINE_S",
    "Call",
    "Decoder",
    "Gate",
    "Method",
    "Params",
    "Pending",
    "Result",
    "entry",
]

P = TypeVar("P")
Result = Mapping[str, object] | msgspec.Struct
"""What JSON's ``result`` is made of."""

DEFAULT_DEADLINE_S = 30.0


@dataclass(frozen=True, slots=True)
class Call(Generic[P]):
    """One run of a handler."""

    params: P
    caller: Caller
    asked_at: float
    """When the request was complete, ``time.monotonic()`` seconds."""
    deadline: float
    """When the client is answered without us, ``time.monotonic()`` seconds."""
    final: bool = False
    """There will be no other run: answer now, with :class:`Pending` no longer allowed."""
    resumed: bool = False
    """An earlier run of this request answered :class:`Pending`."""


@dataclass(frozen=True, slots=True)
class Pending:
    """No answer yet: run the handler again after a change, and at the latest at the deadline.

    While a request is pending it holds no thread.
    """

    until: float
    """``time.monotonic()`` seconds."""


@dataclass(frozen=True, slots=True)
class Method(Generic[P]):
    """One entry of the method table."""

    decode: Callable[[Params], P]
    """Checks the shape of ``params``; raises the namespace's own error for a bad one."""
    handler: Callable[[Call[P]], Result | Pending]
    gate: Gate
    deadline_s: float = DEFAULT_DEADLINE_S
    """How long one run may take before the client is told that it did not finish."""
    stops_server: bool = False
    """The daemon stops once this method's answer has been sent."""
    declared: Declaration | None = None
    """What it promises; ``None`` for what is no part of the protocol."""


Decoder = Callable[[type[Any]], Callable[[Params], P]]
"""Makes the check of ``params`` from their declared struct."""


def entry(
    declared: Declaration,
    decoder: Decoder[P],
    handler: Callable[[Call[P]], Result | Pending],
    *,
    deadline_s: float = DEFAULT_DEADLINE_S,
    stops_server: bool = False,
) -> tuple[str, Method[P]]:
    """The name and the entry of a declared method.

    :param deadline_s: see :class:`Method`, as ``stops_server``.
    """
    decode = decoder(declared.params)
    return declared.name, Method(decode, handler, declared.gate, deadline_s, stops_server, declared)
