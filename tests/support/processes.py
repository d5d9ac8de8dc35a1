"""Which processes are there."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def processes_with(variable: str, value: str) -> dict[int, str]:
    """The living processes that were started with this in their environment: pid to name."""
    setting = f"{variable}={value}".encode()
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if setting in (entry / "environ").read_bytes().split(b"\0"):
                found[int(entry.name)] = (entry / "comm").read_text().strip()
    return found
