"""The command lines that look at panes and change them (tmux-channel.md section 13). No I/O.

Text of a user appears only inside :func:`~agenttower.bench.quoting.quote`, never in a format. Panes
are addressed by id, inside a condition on our token: tmux judges a condition on a pane that is
gone for some other pane, so only a positive match counts.
"""

from __future__ import annotations

import re
import shlex

from agenttower.bench.interface import PaneExit, PaneView
from agenttower.bench.probe import IN_CONTROL_SESSION, made_for, of_layout, with_token
from agenttower.bench.quoting import quote
from agenttower.bench.wrapper import EXIT_OPTION, EXIT_SIGNAL, PLACEHOLDER
from agenttower.errors import LogNotVisible

DONE, ABSENT = "DONE", "ABSENT"
NO_CAT, NO_WAY = "NO_CAT", "NO_WAY"

_STARTED = "#{pane_start_command}"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


# --- looking -------------------------------------------------------------------------------------


def owned_sessions(owner: str) -> str:
    """List the ids of the sessions that carry the layout's mark, whatever they are called now."""
    return f'list-sessions -f "{of_layout(owner)}" -F "#{{session_id}}"'


def session_names() -> str:
    """List the names of all sessions but our own for control."""
    return f'list-sessions -f "#{{==:{IN_CONTROL_SESSION},0}}" -F "#{{session_name}}"'


def panes_made_for(token: str) -> str:
    """List id and process of the panes that have the token or were started for it."""
    return f'list-panes -a -f "{made_for(token)}" -F "#{{pane_id}} #{{pane_pid}}"'


def unmarked_panes(mark: str) -> str:
    """List id, process and start command of the panes that run our wrapper and have no token.

    :param mark: ends each field, as in :func:`agenttower.bench.probe.ask`.
    """
    condition = f"#{{&&:#{{==:#{{@agenttower_pane}},}},#{{m:*{EXIT_SIGNAL}*,{_STARTED}}}}}"
    fields = "".join(f"{field}{mark}" for field in ("#{pane_id}", "#{pane_pid}", _STARTED))
    return f'list-panes -a -f "{condition}" -F "{fields}"'


def capture(pane_id: str, token: str, lines: int) -> str:
    """Show the last ``lines`` lines of history and the whole screen, after :data:`DONE`."""
    return _if_ours(
        pane_id, token, f"display-message -p {DONE} ; capture-pane -p -t {pane_id} -S -{lines:d}"
    )


def nudge() -> str:
    """Make tmux reap its children; some builds lose SIGCHLD (tmux-channel.md section 4)."""
    return 'run-shell -b "exit 0"'


# --- changing ------------------------------------------------------------------------------------


def set_title(pane_id: str, token: str, title: str) -> str:
    """Give the pane its title."""
    commands = title_commands(title, f"-t {pane_id}")
    return _if_ours(pane_id, token, *commands, f"display-message -p {DONE}")


def ensure_pipe(pane_id: str, token: str, log_path: str, *, anew: bool) -> str:
    """Pipe the pane unless it is piped; with ``anew`` end the pipe that it has."""
    detach = [f"pipe-pane -t {pane_id}"] if anew else []
    attach = pipe_unless_piped(pane_id, log_path)
    return _if_ours(pane_id, token, *detach, attach, f"display-message -p {DONE}")


def pipe_unless_piped(pane_id: str, log_path: str) -> str:
    """Part of a line: a second pipe-pane would lose what the first has in hand, and a dead pane
    takes none."""
    free = "#{&&:#{==:#{pane_pipe},0},#{==:#{pane_dead},0}}"
    return f'if-shell -F -t {pane_id} "{free}" {{ {pipe_command(log_path, f"-t {pane_id}")} }}'


def try_log(log_path: str) -> str:
    """Tell why a log pipe ends at once: :data:`NO_CAT`, :data:`NO_WAY` to the file, or
    :data:`DONE` where nothing is in its way."""

    def ask(test: str, good: str, bad: str) -> str:
        return f"if-shell {_shell(test)} {{ {good} }} {{ display-message -p {bad} }}"

    way = ask(f": >>{shlex.quote(log_path)}", f"display-message -p {DONE}", NO_WAY)
    return ask("command -v cat", way, NO_CAT)


def kill(pane_id: str, token: str, pane_pid: int) -> str:
    """Kill the pane, then whatever of its terminal session has not ended within a second.

    The end of the reply waits for that. Processes that left the session by setsid escape.
    """
    done = f"display-message -p {DONE}"
    condition = f"#{{&&:{made_for(token)},#{{==:#{{pane_pid}},{pane_pid:d}}}}}"
    reap = f"if-shell {_end_session(pane_pid)} {{ {done} }} {{ {done} }}"
    return (
        f'if-shell -F -t {pane_id} "{condition}" {{ kill-pane -t {pane_id} ; {reap} }} '
        f"{{ display-message -p {ABSENT} }}"
    )


def bury(view: PaneView, died: PaneExit) -> str:
    """Put a placeholder into a dead pane, which could take the server with it (section 0, 5 and 6).

    The exit is kept in the pane, unless the wrapper had reported one already; what the wrapper
    left running is ended.
    """
    pane = view.pane_id
    placeholder = " ".join(quote(argument) for argument in PLACEHOLDER)
    report = f'"{died.code:d} 0 {died.elapsed_ms / 1000:.3f}"'
    commands = (
        f"set-option -p -o -q -t {pane} {EXIT_OPTION} {report}",
        f"set-option -p -t {pane} @agenttower_lost 1",
        f"respawn-pane -k -t {pane} -- {placeholder}",
        f"run-shell -b {_end_session(view.pane_pid)}",
    )
    condition = f"#{{&&:{with_token(view.token)},#{{==:#{{pane_dead}},1}}}}"
    return f'if-shell -F -t {pane} "{condition}" {{ {" ; ".join(commands)} }}'


# --- pieces --------------------------------------------------------------------------------------


def title_commands(title: str, pane: str) -> list[str]:
    """Part of a line: give the pane its title, exact and never a format.

    :param pane: ``-t`` and the pane, or nothing for the pane just split off.
    """
    # tmux expands the title as a format, but not what comes out of an option; and it ignores a
    # title with a control character.
    return [
        f"set-option -p {pane} @agenttower_title {quote(_CONTROL.sub(' ', title))}",
        f'select-pane {pane} -T "#{{@agenttower_title}}"',
    ]


def pipe_command(log_path: str, pane: str) -> str:
    """Part of a line: pipe the pane into the log.

    ``touch`` proves to the host that the bench can write the file, before the first output. With
    ``-I`` tmux also reads from the pipe, so that it sees at once when the pipe has ended; nothing
    ever comes, since ``cat`` writes to the file.
    """
    if "#" in log_path or "%" in log_path:
        raise LogNotVisible(
            f"the log path {log_path!r} has a '#' or '%', which tmux would expand; "
            "choose another state directory"
        )
    path = shlex.quote(log_path)
    command = f"umask 077; command -v cat >/dev/null && touch -c -- {path}; exec cat >>{path}"
    return f"pipe-pane -IO {pane} {quote(command)}"


def _end_session(pane_pid: int) -> str:
    return _shell(_END_SESSION, f"{pane_pid:d}")


def _shell(script: str, *arguments: str) -> str:
    """The command that runs a script without a word, whatever shell tmux gives it to."""
    command = f"exec /bin/sh -c {shlex.quote(script)} agenttower {' '.join(arguments)}"
    return quote(f"{command} >/dev/null 2>&1".replace("#", "##"))


def _if_ours(pane_id: str, token: str, *commands: str) -> str:
    return (
        f'if-shell -F -t {pane_id} "{with_token(token)}" '
        f"{{ {' ; '.join(commands)} }} {{ display-message -p {ABSENT} }}"
    )


# $1 is the session id. After the name in parentheses, /proc/N/stat has: state, parent, group,
# session.
_END_SESSION = """\
n=0
while
  found=$(grep -lE "\\) [^ZX] [0-9]+ [0-9]+ $1 " /proc/[0-9]*/stat 2>/dev/null)
  [ -n "$found" ] && [ $n -le 50 ]
do
  for f in $found; do
    p=${f%/stat}
    [ $n -lt 50 ] || kill -9 "${p##*/}"
  done
  n=$((n + 1))
  sleep 0.02
done
"""
