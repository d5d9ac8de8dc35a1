"""``app.readiness`` (app surface, section 10), and the hints that the dashboard has too."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from agenttower.domain.hints import HintCode, Severity
from agenttower.domain.readiness import Health, Overall, Subsystem
from agenttower.protocol.declaration import Declaration, Gate, NoParams


class SubsystemRow(msgspec.Struct, frozen=True):
    """One of the six; ``reason`` is empty exactly where ``status`` is ``ok``."""

    name: Subsystem
    status: Health
    reason: Annotated[str, msgspec.Meta(max_length=512)]
    hint: str | None


class HintTarget(msgspec.Struct, frozen=True):
    kind: Literal["container", "pane", "agent", "route", "message", "event"]
    id: str


class HintRow(msgspec.Struct, frozen=True):
    """Section 7.2; ``target`` is left out where the hint is about no single object."""

    code: HintCode
    severity: Severity
    message: str
    target: HintTarget | UnsetType = UNSET


class Readiness(msgspec.Struct, frozen=True):
    state: Overall
    subsystems: Annotated[list[SubsystemRow], msgspec.Meta(min_length=6, max_length=6)]
    """In the order of the set of names."""
    hints: list[HintRow]


READINESS = Declaration(
    name="app.readiness",
    summary="Is the local runtime healthy enough to render? Asked anew at every call.",
    gate=Gate.HOST,
    params=NoParams,
    result=Readiness,
    session=True,
)
