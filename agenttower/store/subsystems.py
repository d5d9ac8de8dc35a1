"""What the worker's standing threads last said of themselves, for ``status``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agenttower.clock import Micros
from agenttower.store.models import Subsystem


@dataclass(frozen=True, slots=True)
class Said:
    """The last word of one thread."""

    document: dict[str, Any]
    updated_at: Micros


def say(name: str, document: Mapping[str, object], now: Micros) -> None:
    """Write what a thread says of itself, in the caller's transaction."""
    row = {"document": json.dumps(document, ensure_ascii=False), "updated_at": now}
    (
        Subsystem.insert(name=name, **row)
        .on_conflict(conflict_target=[Subsystem.name], update=row)
        .execute()
    )


def said(name: str) -> Said | None:
    """What a thread said last; ``None`` where it has never said anything."""
    row = Subsystem.get_or_none(Subsystem.name == name)
    return None if row is None else Said(json.loads(row.document), row.updated_at)
