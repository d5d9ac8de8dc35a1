"""Waiting for tmux to tell that something in a pane ended, without asking again and again.

A client of its own waits on the ``wait-for`` channel that the wrapper signals; two global hooks, at
an index that leaves users' hooks alone, signal it for panes that die or are killed. A signal that
comes while nobody waits is remembered by tmux (tmux-channel.md section 4). Yet the waiter of a
worker that was just killed may still be there and take it; so who wants to miss nothing arms the
watch before he looks. What ended is for the caller to find out.
"""

from __future__ import annotations

from agenttower.bench.connection import ClientId, Connection
from agenttower.bench.interface import Deadline
from agenttower.bench.opening_lock import OpeningLock
from agenttower.bench.transport import Launcher
from agenttower.bench.wrapper import EXIT_SIGNAL

_HOOK_INDEX = 901
_HOOKS = " ; ".join(
    f'set-hook -g "{hook}[{_HOOK_INDEX}]" "wait-for -S {EXIT_SIGNAL}"'
    for hook in ("pane-died", "after-kill-pane", "window-unlinked", "session-closed")
)
_LINE = f"{_HOOKS} ; wait-for {EXIT_SIGNAL}"


class ExitWatch:
    """One waiter. :meth:`wait` belongs to one thread, :meth:`close` to any."""

    def __init__(self, launcher: Launcher, client: ClientId, lock: OpeningLock) -> None:
        self._connection = Connection(launcher, client, lock)

    def arm(self, deadline: Deadline) -> None:
        """Begin to wait; :meth:`wait` tells of whatever ends from now on.

        :raises BenchError: as :meth:`wait`.
        """
        self._connection.begin_wait(_LINE, deadline)

    def wait(self, deadline: Deadline) -> bool:
        """Wait until something has ended; ``False`` where nothing has by the deadline, and the
        client waits on. A bench that hangs is not noticed here.

        :raises BenchConnectionLost: tmux or the container ended, or :meth:`close` was called.
        :raises BenchError: the bench cannot be reached.
        """
        return self._connection.wait(_LINE, deadline)

    def close(self) -> None:
        """End the wait; the bench itself stays open."""
        self._connection.hang_up()
