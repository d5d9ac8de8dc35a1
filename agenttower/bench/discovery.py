"""Finding every pane of the bench user's tmux servers (legacy surfaces part 1, section 7).

One process finds the sockets, and one for each of them asks its server. Nothing is opened, started
or changed: a bench without tmux stays without.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

from agenttower.bench.interface import Deadline, Discovery, FoundPane, SocketFailure
from agenttower.bench.probe import IN_CONTROL_SESSION
from agenttower.bench.servers import Servers
from agenttower.bench.transport import Finished
from agenttower.bench.wording import one_line
from agenttower.errors import BenchConnectionLost, BenchTimeout

CALL_SECONDS = 5.0
"""How long one process may take (section 7.2)."""

_CLIENT_SECONDS = 4
"""How long tmux may take; then it is ended in the bench, where it would otherwise stay."""

_FIELDS = (
    "session_name", "window_index", "pane_index", "pane_id", "pane_pid", "pane_tty",
    "pane_current_command", "pane_current_path", "pane_title", "pane_active",
    "pid", "start_time", "@agenttower_pane",
)  # fmt: skip
_FORMAT = (*(f"#{{{name}}}" for name in _FIELDS), IN_CONTROL_SESSION)

_NUMBER = re.compile(r"[0-9]{1,18}")
_PANE_ID = re.compile(r"%[0-9]{1,18}")
_TOKEN = re.compile(r"[0-9a-f]{32}")
_NOBODY_THERE = re.compile(r"no server running on|\((?:No such file|Connection refused)")
_NO_ENTRY = re.compile(r"\((?:Permission denied|Operation not permitted)")

# $1 ends each field, since names may hold anything else; $2 is our own socket where it is named.
# Links are left out: they lead elsewhere, or to a socket that stands in the list anyway.
_FIND = """\
mark=$1 own=$2
say() { printf '%s%s' "$1" "$mark"; }
uid=$(id -u) || exit 1
say "$uid"
say "$(id -un 2>/dev/null)"
if command -v tmux >/dev/null 2>&1; then say tmux; else say ''; fi
dir=/tmp/tmux-$uid
if [ ! -d "$dir" ] || [ -L "$dir" ]; then say missing
elif [ ! -O "$dir" ] || [ ! -r "$dir" ] || [ ! -x "$dir" ]; then say unreadable
else
  say open
  real=$(cd "$dir" && pwd -P)
  for path in "$real"/* "$real"/.[!.]*; do
    if [ -S "$path" ] && [ ! -L "$path" ]; then say "$path"; fi
  done
fi
[ -n "$own" ] || own=${TMUX_TMPDIR:-/tmp}/tmux-$uid/default
if home=$(cd "${own%/*}" 2>/dev/null && pwd -P); then
  own=$home/${own##*/}
  if [ -S "$own" ] && [ ! -L "$own" ]; then say "$own"; fi
fi
exit 0
"""

_WITHIN = 'command -v timeout >/dev/null 2>&1 && exec timeout "$@"; shift; exec "$@"'
_TIMED_OUT = (124, 137, 143)
_NOT_FOUND = 127


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the bench user's tmux servers are."""

    user: str
    sockets: Sequence[str]
    failure: SocketFailure | None = None
    """Why they cannot be found."""


class Discoverer:
    """See :class:`agenttower.bench.interface.Bench`."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    def discover(self, deadline: Deadline) -> Discovery:
        place = self._find(deadline)
        if place.failure is not None:
            return Discovery(place.user, (), (), (place.failure,))
        panes: list[FoundPane] = []
        failures: list[SocketFailure] = []
        for socket_path in place.sockets:
            found, failure = self._ask(socket_path, deadline)
            panes += found
            if failure is not None:
                failures.append(failure)
        return Discovery(place.user, tuple(panes), place.sockets, tuple(failures))

    def _find(self, deadline: Deadline) -> _Place:
        mark = _mark()
        argv = ["sh", "-c", _FIND, "agenttower", mark, self._servers.named_socket]
        said = self._servers.run(argv, b"", _soon(deadline))
        if said.exit_code != 0:
            return _Place("", (), _failed(None, "docker_exec_failed", _words(said)))
        fields = said.stdout.split(mark)[:-1]
        if len(fields) < 4 or not _NUMBER.fullmatch(fields[0]):
            reason = "the bench's answer to where its tmux sockets are cannot be read"
            return _Place("", (), _failed(None, "output_malformed", reason))
        uid, user, tmux, state, *sockets = fields
        user = user or uid
        found = tuple(dict.fromkeys(sockets))
        return _Place(user, found, None if found else _why_none(uid, user, tmux, state))

    def _ask(
        self, socket_path: str, deadline: Deadline
    ) -> tuple[list[FoundPane], SocketFailure | None]:
        """The panes of one server; none, and no failure, where nobody listens any more."""
        mark = _mark()
        rows = f"{mark},".join(_FORMAT) + f"{mark}."  # a ';' at the end would end the command
        tmux = ["tmux", "-S", socket_path, "-u", "list-panes", "-a", "-F", rows]
        argv = ["sh", "-c", _WITHIN, "agenttower", str(_CLIENT_SECONDS), *tmux]
        try:
            said = self._servers.run(argv, b"", _soon(deadline))
        except BenchTimeout as error:
            return [], _failed(socket_path, "docker_exec_timeout", error.message)
        except BenchConnectionLost as error:
            return [], _failed(socket_path, "docker_exec_failed", error.message)
        if said.exit_code != 0:
            return [], _refusal(socket_path, said)
        return _read(socket_path, said.stdout, mark)


def _read(socket_path: str, text: str, mark: str) -> tuple[list[FoundPane], SocketFailure | None]:
    panes: list[FoundPane] = []
    dropped = 0
    *records, rest = text.split(f"{mark}.")
    for record in records:
        fields = record.removeprefix("\n").split(f"{mark},")
        if len(fields) != len(_FORMAT) or not _is_sane(fields):
            dropped += 1
        elif fields[-1] != "1":  # else it is the session through which we talk to tmux
            panes.append(_pane(socket_path, fields))
    if not dropped and not rest.strip("\n"):
        return panes, None
    reason = f"{dropped or 1} of the rows of the tmux server at {socket_path} cannot be read"
    return panes, _failed(socket_path, "output_malformed", reason)


def _is_sane(fields: Sequence[str]) -> bool:
    _, window, index, pane_id, pid, *_ = fields
    numbers = (window, index, pid)
    return bool(_PANE_ID.fullmatch(pane_id)) and all(map(_NUMBER.fullmatch, numbers))


def _pane(socket_path: str, fields: Sequence[str]) -> FoundPane:
    (
        session, window, index, pane_id, pid, tty, command, path, title, focused,
        server_pid, started, token, _,
    ) = fields  # fmt: skip
    return FoundPane(
        socket_path=socket_path,
        session_name=session,
        window_index=int(window),
        pane_index=int(index),
        pane_id=pane_id,
        pane_pid=int(pid),
        tty=tty,
        current_command=command,
        current_path=path,
        title=title,
        focused=focused == "1",
        server=f"{server_pid} {started}",
        token=token if _TOKEN.fullmatch(token) else "",
    )


def _why_none(uid: str, user: str, tmux: str, state: str) -> SocketFailure:
    """No socket is there: that is told, and proves nothing of the panes known so far."""
    where = f"/tmp/tmux-{uid}"
    if not tmux:
        return _failed(None, "tmux_unavailable", "the bench has no tmux; install it there")
    if state == "unreadable":
        reason = f"{where} cannot be read by {user}, or is another user's; see who made it"
        return _failed(None, "socket_unreadable", reason)
    if state == "missing":
        reason = f"there is no {where}: {user} has not started tmux in this bench"
        return _failed(None, "socket_dir_missing", reason)
    return _failed(None, "tmux_no_server", f"{where} has no socket: no tmux of {user} runs")


def _refusal(socket_path: str, said: Finished) -> SocketFailure | None:
    words = _words(said)
    if _NOBODY_THERE.search(words):
        return None
    if said.exit_code in _TIMED_OUT:
        reason = f"the tmux server at {socket_path} did not answer in {_CLIENT_SECONDS} s"
        return _failed(socket_path, "docker_exec_timeout", reason)
    if said.exit_code == _NOT_FOUND:
        return _failed(socket_path, "tmux_unavailable", f"tmux does not start: {words}")
    code = "socket_unreadable" if _NO_ENTRY.search(words) else "docker_exec_failed"
    return _failed(socket_path, code, f"tmux at {socket_path} refused: {words}")


def _failed(socket_path: str | None, code: str, message: str) -> SocketFailure:
    return SocketFailure(socket_path, code, message)


def _words(said: Finished) -> str:
    return one_line(said.stderr or said.stdout) or f"exit code {said.exit_code}"


def _soon(deadline: Deadline) -> Deadline:
    return min(deadline, time.monotonic() + CALL_SECONDS)


def _mark() -> str:
    return f"_{secrets.token_hex(4)}"
