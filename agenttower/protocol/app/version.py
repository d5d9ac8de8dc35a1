"""The version of the ``app.*`` contract (app surface, section 4)."""

from __future__ import annotations

MAJOR = 1
VERSION = "1.1"
SUPPORTED_MINOR_RANGE = {"min": "1.0", "max": VERSION}
