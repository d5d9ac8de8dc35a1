"""System programs that demo and tests need, found also where a plain user's ``PATH`` ends."""

from __future__ import annotations

import os
import shutil


def search_path() -> str:
    """``PATH`` and the system directories."""
    return os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"))


def find_program(name: str) -> str | None:
    """The program's path; ``None`` where it is not installed."""
    return shutil.which(name, path=search_path())
