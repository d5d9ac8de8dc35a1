"""A bench over its tmux: what every provider hands out, whatever carries the bytes."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from agenttower.bench import commands, probe
from agenttower.bench.connection import ClientId, Connection
from agenttower.bench.discovery import Discoverer
from agenttower.bench.exit_watch import ExitWatch
from agenttower.bench.interface import BenchInfo, Deadline, PaneSpec, PaneView
from agenttower.bench.lookout import Lookout
from agenttower.bench.opening_lock import OpeningLock
from agenttower.bench.pane_maker import PaneMaker
from agenttower.bench.pasting import Pasting
from agenttower.bench.piping import PIPE_SECONDS, Piping, why_no_pipe
from agenttower.bench.screens import Screens
from agenttower.bench.servers import Servers
from agenttower.bench.transport import Launcher
from agenttower.errors import LogNotVisible

_PIPE_PAUSE_SECONDS = 0.01


class TmuxBench:
    """Implements :class:`~agenttower.bench.interface.Bench`.

    :param info: asks for the bench as last inspected.
    :param launcher: starts processes there; closed with the bench.
    :param client: who we are among the clients of that tmux server.
    :param lock_dir: where the bench's :class:`~agenttower.bench.opening_lock.OpeningLock` is.
    """

    def __init__(
        self,
        info: Callable[[], BenchInfo],
        launcher: Launcher,
        client: ClientId,
        lock_dir: Path | None = None,
    ) -> None:
        self._info = info
        bench_id = info().bench_id
        lock = OpeningLock(lock_dir / bench_id if lock_dir is not None else None)
        self._connection = Connection(launcher, client, lock)
        self._lookout = Lookout(self._connection)
        self._maker = PaneMaker(bench_id, self._connection, self._lookout, self._kill_made_for)
        servers = Servers(self._connection, launcher)
        piping, pasting = Piping(servers), Pasting(servers)
        self.discover_panes = Discoverer(servers).discover
        self.pipe_into = piping.pipe_into
        self.is_piped = piping.is_piped
        self.unpipe = piping.unpipe
        self.is_written = piping.is_written
        self.written_in = piping.written_in
        self.make_file = piping.make_file
        self.file_size = piping.file_size
        self.read_file = piping.read_file
        self.free_file = piping.free_file
        self.screen = Screens(servers).screen
        self.paste = pasting.paste
        self.submit = pasting.submit
        self.clear_pastes = pasting.clear_pastes
        self._watcher: Callable[[], ExitWatch] = lambda: ExitWatch(
            launcher, replace(client, role="watch"), lock
        )

    @property
    def info(self) -> BenchInfo:
        return self._info()

    # --- looking -------------------------------------------------------------------------------

    def session_names(self, deadline: Deadline) -> Collection[str]:
        return self._lookout.listing(commands.session_names(), deadline).splitlines()

    def owns_session(self, owner: str, deadline: Deadline) -> bool:
        return bool(self._lookout.listing(commands.owned_sessions(owner), deadline))

    def find_panes(self, tokens: Collection[str] | None, deadline: Deadline) -> dict[str, PaneView]:
        if tokens is not None and not tokens:
            return {}
        one = tokens is not None and len(tokens) == 1
        wanted = probe.with_token(next(iter(tokens or ()))) if one else probe.ANY
        rows = self._lookout.rows(wanted, deadline)
        return {token: row.view for token, row in rows.items() if tokens is None or token in tokens}

    def capture_tail(self, token: str, lines: int, deadline: Deadline) -> str:
        row = self._lookout.find(token, deadline)
        if row is None:
            return ""
        line = commands.capture(row.view.pane_id, token, lines)
        answer, _, text = self._connection.request(line, deadline).partition("\n")
        if answer != commands.DONE:
            return ""
        return "\n".join(text.rstrip().splitlines()[-lines:])

    def bench_uid(self, deadline: Deadline) -> int:
        return self._connection.uid(deadline)

    def watch_exits(self) -> ExitWatch:
        return self._watcher()

    # --- making and changing -------------------------------------------------------------------

    def create_pane(self, spec: PaneSpec, deadline: Deadline) -> PaneView:
        return self._maker.create(spec, deadline)

    def set_title(self, token: str, title: str, deadline: Deadline) -> bool:
        row = self._lookout.find(token, deadline)
        if row is None:
            return False
        line = commands.set_title(row.view.pane_id, token, title)
        return self._connection.request(line, deadline) == commands.DONE

    def ensure_pipe(
        self, token: str, log_path: str, deadline: Deadline, *, anew: bool = False
    ) -> bool:
        row = self._lookout.find(token, deadline)
        if row is None:
            return False
        if row.view.piped and not anew:
            return True
        line = commands.ensure_pipe(row.view.pane_id, token, log_path, anew=anew)
        if self._connection.request(line, deadline) != commands.DONE:
            return False
        until = min(time.monotonic() + PIPE_SECONDS, deadline)
        while (row := self._lookout.find(token, deadline)) is not None:
            if not row.view.piped:
                raise LogNotVisible(self._why_no_pipe(log_path, deadline))
            if time.monotonic() >= until:
                return True
            time.sleep(_PIPE_PAUSE_SECONDS)
        return False

    def kill_pane(self, token: str, deadline: Deadline) -> bool:
        while (row := self._lookout.find(token, deadline)) is not None:
            if self._kill(row.view.pane_id, token, row.view.pane_pid, deadline):
                return True
            # Gone meanwhile, or respawned and so with another process.
        return False

    def kill_leftovers(self, tokens: Collection[str], deadline: Deadline) -> int:
        marked = self._lookout.rows(probe.ANY, deadline).keys() & set(tokens)
        killed = sum(self.kill_pane(token, deadline) for token in marked)
        mark = f"_{secrets.token_hex(4)}"
        listed = self._lookout.listing(commands.unmarked_panes(mark), deadline).split(mark)[:-1]
        for pane_id, pid, started in zip(listed[::3], listed[1::3], listed[2::3], strict=False):
            for token in tokens:
                if token in started:
                    killed += self._kill(pane_id.strip(), token, probe.required(pid), deadline)
        return killed

    def close(self) -> None:
        self._connection.close()

    def _kill_made_for(self, token: str, deadline: Deadline) -> int:
        found = self._lookout.listing(commands.panes_made_for(token), deadline).split()
        pairs = [
            (pane_id, probe.required(pid))
            for pane_id, pid in zip(found[::2], found[1::2], strict=False)
        ]
        return sum(self._kill(pane_id, token, pid, deadline) for pane_id, pid in pairs)

    def _kill(self, pane_id: str, token: str, pane_pid: int, deadline: Deadline) -> bool:
        line = commands.kill(pane_id, token, pane_pid)
        return self._connection.request(line, deadline, disturbs=True) == commands.DONE

    def _why_no_pipe(self, log_path: str, deadline: Deadline) -> str:
        return why_no_pipe(self._connection.request(commands.try_log(log_path), deadline), log_path)
