"""Making a pane: where it goes, and what to do when tmux, a rival or a hook is in the way."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from agenttower.bench import commands, creation, probe
from agenttower.bench.connection import UNSIZED, Connection
from agenttower.bench.creation import Place
from agenttower.bench.interface import Deadline, PaneSpec, PaneView
from agenttower.bench.lookout import Lookout
from agenttower.bench.probe import PaneRow
from agenttower.errors import SessionNameConflict, TmuxCommandFailed, TmuxUnavailable

_CREATE_TRIES = 8
_ROOMIEST = "tiled"
_NO_SPACE = "no space for new pane"
_DUPLICATE = "duplicate session"


class PaneMaker:
    """Makes panes on one bench. One that cannot be made whole is not left behind.

    :param kill: kills the panes that have a token or were started for it.
    """

    def __init__(
        self,
        bench_id: str,
        connection: Connection,
        lookout: Lookout,
        kill: Callable[[str, Deadline], int],
    ) -> None:
        self._bench_id = bench_id
        self._connection = connection
        self._lookout = lookout
        self._kill = kill

    def create(self, spec: PaneSpec, deadline: Deadline) -> PaneView:
        """See :meth:`agenttower.bench.interface.Bench.create_pane`."""
        made_room = False
        for _ in range(_CREATE_TRIES):
            place = self._choose_place(spec, deadline)
            try:
                answer = self._send(spec, place, deadline)
            except TmuxCommandFailed as error:
                mended = self._complete(spec, deadline)
                if mended is not None:
                    return mended
                if made_room or place is None or _NO_SPACE not in error.message:
                    raise
                made_room = True
                self._spread(place, _ROOMIEST, deadline)
                continue
            if answer == creation.CREATED:
                return self._created(spec, place, deadline)
            if answer != creation.VANISHED:  # it exists, or a hook moved it
                mended = self._complete(spec, deadline)
                if mended is not None:
                    return mended
            if answer == creation.HOOKED:
                raise TmuxCommandFailed(_hooked(spec, place))
        raise TmuxCommandFailed(
            f"the panes of session {spec.session!r} keep changing while one is added; try again"
        )

    def _choose_place(self, spec: PaneSpec, deadline: Deadline) -> Place | None:
        """Where to split: never in a session that is not this layout's, so that a pane which a
        user moved elsewhere does not draw us into a session that is his."""
        rows: dict[str, PaneRow] = self._lookout.rows(probe.of_layout(spec.owner), deadline)
        siblings = [rows[token] for token in spec.siblings if token in rows]
        at_home = [row for row in siblings if row.owner == spec.owner]
        if at_home:
            return creation.beside(at_home[-1].view.pane_id, at_home[-1].view.token)
        sessions = self._owned_sessions(spec, deadline)
        return creation.inside(sessions[0], spec.owner) if sessions else None

    def _send(self, spec: PaneSpec, place: Place | None, deadline: Deadline) -> str:
        """Send the creating line and return its answer."""
        line = creation.create(spec, place, _now_ms())
        try:
            answer = self._connection.request(line, deadline, disturbs=True)
        except TmuxCommandFailed as error:
            if _DUPLICATE not in error.message:
                raise
            if self._owned_sessions(spec, deadline):
                return creation.VANISHED  # A sibling was faster: there is a place now.
            raise SessionNameConflict(self._bench_id, spec.session) from error
        if answer == creation.UNSIZED:
            raise TmuxUnavailable(UNSIZED)
        return answer

    def _created(self, spec: PaneSpec, place: Place | None, deadline: Deadline) -> PaneView:
        row = self._lookout.find(spec.token, deadline)
        if row is None:
            raise TmuxCommandFailed(
                f"the pane made in session {spec.session!r} was closed again at once; "
                "look for a tmux hook or a user in the bench that closes panes"
            )
        if place is not None:
            self._spread(creation.beside(row.view.pane_id, spec.token), spec.layout, deadline)
        return row.view

    def _complete(self, spec: PaneSpec, deadline: Deadline) -> PaneView | None:
        """Find the pane, wherever it is, and give it what it lacks; ``None`` where there is none.

        :raises TmuxCommandFailed: tmux refused again, and the pane was killed.
        """
        found = self._lookout.listing(commands.panes_made_for(spec.token), deadline).split()
        if not found:
            return None
        line = creation.complete(spec, found[0], _now_ms())
        try:
            if self._connection.request(line, deadline) == commands.DONE:
                row = self._lookout.find(spec.token, deadline)
                return None if row is None else row.view
        except TmuxCommandFailed:
            self._kill(spec.token, deadline)
            raise
        self._kill(spec.token, deadline)
        return None

    def _spread(self, place: Place, layout: str, deadline: Deadline) -> None:
        """Arrange the window. Only looks depend on it, so a refusal is no failure."""
        with suppress(TmuxCommandFailed):
            self._connection.request(creation.relayout(place, layout), deadline)

    def _owned_sessions(self, spec: PaneSpec, deadline: Deadline) -> list[str]:
        return self._lookout.listing(commands.owned_sessions(spec.owner), deadline).split()


def _hooked(spec: PaneSpec, place: Place | None) -> str:
    hook = "after-new-session" if place is None else "after-split-window"
    return (
        f"a tmux hook of the bench moved or closed the new pane of session {spec.session!r} before "
        f"it could be marked; see 'tmux show-hooks -g {hook}' there"
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
