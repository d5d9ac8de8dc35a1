"""The one exception of the ``app.*`` layer, for each code of its closed set (section 6)."""

from __future__ import annotations

from agenttower.errors import AgentTowerError
from agenttower.protocol.app.errors import ERRORS


class AppError(AgentTowerError):
    """A refusal with a code of app surface, section 6, and the details that the code asks for."""

    def __init__(self, code: str, message: str, **details: object) -> None:
        """:param code: one of :data:`agenttower.protocol.app.errors.ERRORS`."""
        assert code in ERRORS, code
        super().__init__(message, **details)
        self.code = code
