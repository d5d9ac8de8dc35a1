"""What the worker's standing threads last said of themselves, for ``status``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agenttower.clock import Micros
from agenttower.store.models.base import execute


def write(name: str, document: Mapping[str, object], now: Micros) -> None:
    """Replace what ``name`` said, in the caller's transaction."""
    execute(
        "INSERT INTO subsystem (name, document, updated_at) VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET document = excluded.document,"
        " updated_at = excluded.updated_at",
        (name, json.dumps(document, ensure_ascii=False), now),
    )


def read(name: str) -> tuple[dict[str, Any], Micros] | None:
    """What ``name`` last said, and when."""
    row = execute("SELECT document, updated_at FROM subsystem WHERE name = ?", (name,)).fetchone()
    return None if row is None else (json.loads(row[0]), row[1])
