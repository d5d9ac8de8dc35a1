"""The process every managed pane runs: a small shell script that outlives the program in it.

While the wrapper lives the pane is not dead, so the program's last bytes reach the log, its exit
status is reported whatever tmux does with SIGCHLD, and nobody can crash tmux by pasting into the
pane (tmux-channel.md sections 3.4 and 4). The report goes through tmux itself: the pane option
:data:`EXIT_OPTION` and the ``wait-for`` channel :data:`EXIT_SIGNAL`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agenttower.errors import ValidationFailed

EXIT_OPTION = "@agenttower_exit"
"""``<code> <start> <end>``: exit code, and two readings of ``/proc/uptime`` in seconds."""

EXIT_SIGNAL = "agenttower-exit"

EXIT_NO_DIRECTORY = 126
"""Reported where the working directory cannot be entered."""

ENVIRONMENT_PREFIX = "AGENTTOWER_ENV_"

PLACEHOLDER = ("/bin/sh", "-c", "trap '' INT QUIT TSTP; exec sleep infinity", "agenttower")
"""Keeps a pane alive once its wrapper is gone."""

# $0 is the pane's token, $1 the count of variables, $2 the directory or nothing, then the program.
#
# set -m       the program has the terminal, so that Ctrl-C reaches it and not the wrapper
# 2>/dev/null  the shell's own remarks ("Killed", "Stopped") stay out of the pane's log; dash makes
#              them while a redirection of the command itself holds, hence the subshell. Bash
#              remarks all the same: it needs its stderr to hand the terminal on
# env          never a builtin of the shell, and variables no shell has touched
# fg           Ctrl-Z stops the program for an instant only; a stop is not taken for an end
# trap EXIT    bash ends itself when the program ends by Ctrl-C; hence also 130 to begin with
# trap ''      inherited by what follows: a second Ctrl-C must not kill the report
# || exit      no tmux to report to: the dead pane then carries the status
# at_…         names no environment has, which assigning would change for the program
_SCRIPT = """\
at_report() {
  trap '' INT QUIT TSTP
  read -r at_end at_rest </proc/uptime || at_end=0
  stty sane
  PATH="$PATH:/usr/local/bin:/usr/bin:/bin" tmux set-option -p -t "$TMUX_PANE" \
@agenttower_exit "$at_code $at_start $at_end" \\; wait-for -S agenttower-exit >/dev/null ||
    exit "$at_code"
  exec sleep infinity
}
at_count=$1 at_dir=$2 at_code=130
shift 2
while [ "$at_count" -gt 0 ]; do
  eval "set -- \\"\\$AGENTTOWER_ENV_$at_count\\" \\"\\$@\\"; unset AGENTTOWER_ENV_$at_count"
  at_count=$((at_count - 1))
done
trap : INT QUIT
trap at_report EXIT
set -m
exec 3>&2
[ -n "$BASH_VERSION" ] || exec 2>/dev/null
read -r at_start at_rest </proc/uptime || at_start=0
if [ -n "$at_dir" ] && ! cd -- "$at_dir"; then
  printf 'agenttower: cannot enter the working directory %s\\n' "$at_dir"
  at_code=126
  exit
fi
unset OLDPWD
(exec env -- "$@" 2>&3 3>&-)
at_code=$?
while case $at_code in 147|148|149|150) ;; *) false ;; esac && jobs %% >/dev/null 2>&1; do
  at_code=130
  fg %% >/dev/null
  at_code=$?
done
"""


def wrap(
    token: str, argv: Sequence[str], environment_count: int, directory: str | None
) -> list[str]:
    """The argument vector tmux runs in the pane, at least five elements long.

    :param token: the pane's token; shows in ``ps`` and in ``#{pane_start_command}``.
    :param argv: the program, byte for byte; empty means the bench user's shell, as a login shell.
    :param environment_count: how many variables of :func:`environment_pairs` come with it.
    :param directory: where the program starts; ``None`` for where tmux starts it. A relative one
        is seen from there.
    """
    if directory and not directory.startswith("/"):
        directory = "./" + directory
    shell = ["/bin/sh", "-c", _SCRIPT, token]
    return [*shell, str(environment_count), directory or "", *_program(argv)]


def environment_pairs(env: Mapping[str, str]) -> list[tuple[str, str]]:
    """``env`` as variables for tmux's ``-e``: ``AGENTTOWER_ENV_1`` holds ``NAME=VALUE``, and so on.

    Under names of our own no variable can change the wrapper (PATH, TMUX, ENV), the shell cannot
    change a variable (it does with PWD, OLDPWD, names that are none), and values stay out of
    ``ps``. The wrapper hands them to ``env``.

    :raises ValidationFailed: for a name that no environment can hold.
    """
    for name in env:
        if not name or "=" in name:
            raise ValidationFailed("env", f"{name!r} cannot be the name of a variable")
    return [
        (f"{ENVIRONMENT_PREFIX}{number}", f"{name}={value}")
        for number, (name, value) in enumerate(env.items(), start=1)
    ]


def _program(argv: Sequence[str]) -> list[str]:
    if not argv:
        return ["/bin/sh", "-c", 'exec "${SHELL:-/bin/sh}" -l', "agenttower"]
    if "=" in argv[0] or argv[0] == "-":
        # env would take it for a variable or an option.
        return ["/bin/sh", "-c", 'exec "$@"', "agenttower", *argv]
    return list(argv)
