"""A tmux server in memory: sessions, panes, and our identity on them, as far as benches show it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

from agenttower.bench.interface import PaneExit, PaneSpec, PaneView
from agenttower.domain.identifiers import tmux_session_target
from agenttower.errors import SessionNameConflict

_servers = count(1)


@dataclass
class Session:
    """A session; it ends with its last pane. ``owner`` is our mark, empty on foreign ones."""

    name: str
    owner: str = ""


@dataclass
class Pane:
    """A pane; ``token`` is our identity, empty on foreign ones."""

    number: int
    session: Session
    token: str = ""
    title: str = ""
    log_path: str | None = None
    piped: bool = False
    exit: PaneExit | None = None


@dataclass
class FakeTmux:
    """One server. Numbers (``%N``) are never used twice while it lives."""

    server_id: str = field(default_factory=lambda: f"server-{next(_servers)}")
    panes: list[Pane] = field(default_factory=list)
    _numbers: count[int] = field(default_factory=count)

    def session_names(self) -> set[str]:
        return {pane.session.name for pane in self.panes}

    def owns(self, owner: str) -> Session | None:
        """The session that carries this mark, whatever it is called."""
        return next((p.session for p in self.panes if p.session.owner == owner), None)

    def find(self, token: str) -> Pane | None:
        return next((pane for pane in self.panes if pane.token == token), None)

    def add_foreign(self, session: str) -> None:
        """A pane that somebody else made."""
        self.panes.append(Pane(next(self._numbers), Session(session)))

    def create(self, spec: PaneSpec, container_id: str) -> bool:
        """The line that makes a pane, unless one with its token is there already."""
        if self.find(spec.token) is not None:
            return False
        session = self.owns(spec.owner)
        if session is None:
            name = tmux_session_target(spec.session)
            if name in self.session_names():
                raise SessionNameConflict(container_id, spec.session)
            session = Session(name, spec.owner)
        pane = Pane(next(self._numbers), session, spec.token, spec.title, spec.log_path)
        self.panes.append(pane)
        return True

    def kill(self, token: str) -> bool:
        pane = self.find(token)
        if pane is None:
            return False
        self.panes.remove(pane)
        return True

    def view(self, pane: Pane) -> PaneView:
        beside = [other for other in self.panes if other.session is pane.session]
        return PaneView(
            token=pane.token,
            pane_id=f"%{pane.number}",
            pane_pid=1000 + pane.number,
            socket_path="/tmp/tmux-0/default",
            server_id=self.server_id,
            session_name=pane.session.name,
            window_index=0,
            pane_index=beside.index(pane),
            title=pane.title,
            piped=pane.piped,
            dead=False,
            exit=pane.exit,
        )

    def views(self) -> dict[str, PaneView]:
        """Every pane of ours, by token."""
        return {pane.token: self.view(pane) for pane in self.panes if pane.token}
