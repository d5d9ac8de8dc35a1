"""What audit rows say of a client that asked through ``app.*`` (app surface, section 20).

Nothing else about the client is told: no token, no name, no version.
"""

from __future__ import annotations

from collections.abc import Mapping

ORIGIN, SESSION = "origin", "app_session_id"
KEYS = (ORIGIN, SESSION)

Attribution = Mapping[str, object]
"""Members that a row has beside those that it has for every caller."""

NOBODY: Attribution = {}
"""Somebody else than an app session asked."""


def of_session(app_session_id: int | None) -> Attribution:
    """The members for this session; none for ``None``.

    >>> of_session(3)
    {'origin': 'app', 'app_session_id': 3}
    """
    return NOBODY if app_session_id is None else {ORIGIN: "app", SESSION: app_session_id}
