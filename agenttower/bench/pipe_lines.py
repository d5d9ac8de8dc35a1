"""The tmux lines about pipes of anybody's panes, and the scripts about files in a bench. No I/O.

A pane is addressed by id, inside a condition on its process: tmux judges a condition on a pane
that is gone for some other pane, so only a positive match counts. A dead pane counts as gone.
"""

from __future__ import annotations

import re

from agenttower.bench.commands import ABSENT, DONE, pipe_command
from agenttower.bench.interface import PaneTarget
from agenttower.bench.probe import with_token
from agenttower.errors import ValidationFailed

NO_SERVER = re.compile(r"no server running|error connecting|server exited|lost server", re.I)
"""What tmux says where nobody listens at a socket."""

NO_FILE = 3

_PANE_ID = re.compile(r"%[0-9]{1,10}")


def guard(target: PaneTarget) -> str:
    """The condition that a pane still is the one that was meant, and lives."""
    if not _PANE_ID.fullmatch(target.pane_id):
        raise ValidationFailed("tmux_pane_id", f"{target.pane_id!r} is no pane of tmux")
    own = f"#{{&&:#{{==:#{{pane_pid}},{target.pane_pid:d}}},#{{==:#{{pane_dead}},0}}}}"
    return f"#{{&&:{with_token(target.token)},{own}}}" if target.token else own


def look(target: PaneTarget) -> str:
    """Print ``1`` where the pane is piped, ``0`` where it is not."""
    return _guarded(target, f'display-message -p -t {target.pane_id} "#{{pane_pipe}}"')


def pipe(target: PaneTarget, log_path: str) -> str:
    """Pipe the pane into the log; a pipe that it has is ended first, and never toggled (``-o``)."""
    pane = f"-t {target.pane_id}"
    return _guarded(
        target,
        f"pipe-pane {pane}",
        pipe_command(log_path, pane),
        f"display-message -p {DONE}",
    )


def unpipe(target: PaneTarget) -> str:
    """End the pane's pipe."""
    return _guarded(target, f"pipe-pane -t {target.pane_id}", f"display-message -p {DONE}")


def _guarded(target: PaneTarget, *commands: str) -> str:
    return (
        f'if-shell -F -t {target.pane_id} "{guard(target)}" '
        f"{{ {' ; '.join(commands)} }} {{ display-message -p {ABSENT} }}"
    )


# Processes of other users, and those that have just ended, cannot be looked at: hence 2>/dev/null.
WRITERS = """\
for f in /proc/[0-9]*/fd/1; do
  [ "$f" -ef "$1" ] && exit 0
done 2>/dev/null
exit 1
"""
"""Succeeds while a process of the bench user has the file ``$1`` as its output."""

WRITTEN = """\
for f in /proc/[0-9]*/fd/1; do
  t=$(readlink -- "$f") && case $t in "$1"/*) printf '%s\\n' "$t" ;; esac
done 2>/dev/null
exit 0
"""
"""List the files in the directory ``$1`` that processes of the bench user have as output."""

MAKE_FILE = """\
umask 077
d=${1%/*}
[ -d "$d" ] || mkdir -m 700 -- "$d" || exit
if [ -L "$d" ] || [ ! -O "$d" ]; then
  echo "$d is not a directory of the bench user" >&2
  exit 1
fi
chmod 700 -- "$d" || exit
if [ -e "$1" ] || [ -L "$1" ]; then
  if [ -L "$1" ] || [ ! -f "$1" ] || [ ! -O "$1" ]; then
    echo "something else is in its place" >&2
    exit 1
  fi
  exit 0
fi
set -C
: >"$1"
"""
"""Make the file ``$1`` (0600) in a directory of the bench user's own (0700), or keep it."""

SIZE = '[ ! -L "$1" ] && [ -f "$1" ] && exec wc -c <"$1"'

READ = f"""\
[ ! -L "$1" ] && [ -f "$1" ] || exit {NO_FILE}
tail -c "+$2" -- "$1" | head -c "$3" | base64
"""
"""The bytes of ``$1`` from the ``$2``th on, counted from 1, at most ``$3``, in base64."""

FREE = 'exec fallocate -p -o 0 -l "$2" -- "$1" 2>/dev/null'
"""Give back the room of the first ``$2`` bytes; later bytes keep their place, so that a process
that appends meanwhile loses nothing. A bench without fallocate keeps the bytes."""
