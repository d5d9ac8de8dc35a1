"""Looking at a bench's panes, and keeping dead ones from doing harm."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace

from agenttower.bench import commands, probe
from agenttower.bench.connection import Connection
from agenttower.bench.interface import Deadline, PaneExit
from agenttower.bench.probe import PaneRow
from agenttower.errors import TmuxCommandFailed

UNKNOWN_EXIT = 128
"""Reported where tmux cannot say how a process ended (by a signal, on tmux 3.2)."""

_NUDGE_TRIES = 5
_NUDGE_SECONDS = 0.01


class Lookout:
    """What stands in the tmux of a bench."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, token: str, deadline: Deadline) -> PaneRow | None:
        """The pane that has the token."""
        return self.rows(probe.with_token(token), deadline).get(token)

    def rows(self, condition: str, deadline: Deadline) -> dict[str, PaneRow]:
        """Our panes by token; a dead one is made harmless on sight, with its exit kept.

        :param condition: as for :func:`agenttower.bench.probe.ask`.
        """
        rows = self._probe(condition, deadline)
        for _ in range(_NUDGE_TRIES):
            if not any(_mute(row) for row in rows.values()):
                break
            self._connection.request(commands.nudge(), deadline)
            time.sleep(_NUDGE_SECONDS)
            rows = self._probe(condition, deadline)
        return {
            name: self._bury(row, deadline) if row.dead_now else row for name, row in rows.items()
        }

    def listing(self, line: str, deadline: Deadline) -> str:
        """A listing; a server without any session has nothing to list and says so by an error."""
        try:
            return self._connection.request(line, deadline)
        except TmuxCommandFailed as error:
            if "no current target" in error.message or "no server running" in error.message:
                return ""
            raise

    def _probe(self, condition: str, deadline: Deadline) -> dict[str, PaneRow]:
        mark = f"_{secrets.token_hex(4)}"
        return probe.read(self.listing(probe.ask(condition, mark), deadline), mark)

    def _bury(self, row: PaneRow, deadline: Deadline) -> PaneRow:
        code = row.status if row.status is not None else UNKNOWN_EXIT + (row.signal or 0)
        ended = row.died_at * 1000 if row.died_at else time.time_ns() // 1_000_000
        died = PaneExit(code, max(ended - row.created_at_ms, 0))
        self._connection.request(commands.bury(row.view, died), deadline)
        return replace(row, view=replace(row.view, exit=row.view.exit or died))


def _mute(row: PaneRow) -> bool:
    """Dead, and tmux does not know yet how it ended."""
    return row.dead_now and row.status is None and row.signal is None
