"""What a bench's panes look like: the question to tmux, and its answer read. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agenttower.bench.interface import PaneExit, PaneView
from agenttower.bench.wrapper import EXIT_OPTION
from agenttower.errors import TmuxCommandFailed, ValidationFailed

_HEX = re.compile(r"[0-9a-f]{1,64}")
_SECONDS = r"([0-9]{1,12}(?:\.[0-9]{1,9})?)"
_REPORT = re.compile(rf"([0-9]{{1,3}}) {_SECONDS} {_SECONDS}")

UNREADABLE = "tmux in the bench answers what cannot be read; see whether it is tmux"

IN_CONTROL_SESSION = "#{==:#{@agenttower_internal},#{session_id}}"
"""The condition that a session is ours for control. Its mark is its own id: what a user sets
globally marks no other session."""

_ELSEWHERE = "#{!=:#{@agenttower_internal},#{session_id}}"

ANY = f"#{{&&:#{{!=:#{{@agenttower_pane}},}},{_ELSEWHERE}}}"
"""The condition that a pane is ours. The control session has none, whatever its options say."""

_FORMAT_FIELDS = (
    "#{pane_id}", "#{@agenttower_pane}", "#{pane_pid}", "#{pane_dead}", "#{pane_dead_status}",
    "#{pane_dead_signal}", "#{pane_dead_time}", "#{pane_pipe}", "#{window_index}", "#{pane_index}",
    "#{@agenttower_layout}", "#{@agenttower_server}", f"#{{{EXIT_OPTION}}}", "#{@agenttower_lost}",
    "#{@agenttower_created}", "#{socket_path}", "#{session_name}", "#{pane_title}",
    "#{pane_current_command}", "#{pane_current_path}",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PaneRow:
    """A pane of ours as the probe shows it: the view, and what only this layer needs."""

    view: PaneView
    owner: str
    status: int | None
    signal: int | None
    died_at: int | None
    """Unix seconds."""
    created_at_ms: int
    dead_now: bool
    """tmux calls it dead: a hazard. ``view.dead`` also covers those with a placeholder in them."""


def with_token(token: str) -> str:
    """The condition that a pane has this token, and is not the control session's."""
    return f"#{{&&:#{{==:#{{@agenttower_pane}},{require_hex(token)}}},{_ELSEWHERE}}}"


def runs_wrapper_of(token: str) -> str:
    """The condition that a pane was started for this token, marked or not."""
    return f"#{{m:*{require_hex(token)}*,#{{pane_start_command}}}}"


def made_for(token: str) -> str:
    """The condition that a pane has this token, or was started for it."""
    return f"#{{||:{with_token(token)},{runs_wrapper_of(token)}}}"


def of_layout(owner: str) -> str:
    """The condition that a session, or a pane in it, carries the layout's mark."""
    return f"#{{==:#{{@agenttower_layout}},{require_hex(owner)}}}"


def ask(condition: str, mark: str) -> str:
    """List our panes that meet the condition.

    :param condition: :data:`ANY`, :func:`with_token` or :func:`of_layout`.
    :param mark: a word no program can know in advance; it marks the ends of fields and rows, since
        paths and titles may hold tabs, newlines and rows made up by the program.
    """
    wanted = f"#{{&&:{ANY},{condition}}}"
    return f'list-panes -a -f "{wanted}" -F "{f"{mark},".join(_FORMAT_FIELDS)}{mark};"'


def read(text: str, mark: str) -> dict[str, PaneRow]:
    """The rows of :func:`ask` by token.

    A window linked into several sessions (``new-session -t``) is listed once for each; the row of
    the session that we made wins.

    :raises TmuxCommandFailed: what calls itself tmux in the bench writes rows that tmux does not.
    """
    rows: dict[str, PaneRow] = {}
    for record in text.split(f"{mark};"):
        fields = record.lstrip("\n").split(f"{mark},")
        if len(fields) != len(_FORMAT_FIELDS) or not _HEX.fullmatch(fields[1]):
            continue  # No row of ours: in the bench anybody can set an option.
        row = _row(fields)
        if row.view.token not in rows or row.owner:
            rows[row.view.token] = row
    return rows


def require_hex(value: str) -> str:
    """``value``, a token or an owner, if it can stand anywhere in a command line.

    :raises ValidationFailed: it is not lower-case hex.
    """
    if not _HEX.fullmatch(value):
        raise ValidationFailed("token", f"{value!r} is not lower-case hex")
    return value


def _row(fields: list[str]) -> PaneRow:
    (
        pane_id, token, pid, dead, status, signal, died_at, piped, window, index, owner, server,
        reported, buried, created, socket, session, title, command, path,
    ) = fields  # fmt: skip
    view = PaneView(
        token=token,
        pane_id=pane_id,
        pane_pid=required(pid),
        socket_path=socket,
        server_id=server,
        session_name=session,
        window_index=required(window),
        pane_index=required(index),
        title=title,
        piped=piped == "1",
        dead=dead == "1" or buried == "1",
        exit=_read_exit(reported),
        current_command=command,
        current_path=path,
    )
    return PaneRow(
        view=view,
        owner=owner,
        status=_number(status),
        signal=_number(signal),
        died_at=_number(died_at),
        created_at_ms=_number(created) or 0,
        dead_now=dead == "1",
    )


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def required(text: str) -> int:
    """A number that tmux always gives. :raises TmuxCommandFailed: it is none."""
    number = _number(text)
    if number is None:
        raise TmuxCommandFailed(UNREADABLE)
    return number


def _read_exit(reported: str) -> PaneExit | None:
    """The wrapper's report; a program could forge it, so it is not trusted to be well formed."""
    found = _REPORT.fullmatch(reported)
    if found is None:
        return None
    elapsed = float(found[3]) - float(found[2])
    return PaneExit(code=int(found[1]), elapsed_ms=max(round(elapsed * 1000), 0))
