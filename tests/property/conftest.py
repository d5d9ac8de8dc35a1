"""Hypothesis without its clock: how fast an example runs is no property."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("agenttower", deadline=None)
settings.load_profile("agenttower")
