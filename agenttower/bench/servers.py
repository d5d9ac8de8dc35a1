"""Every tmux server of the bench user: ours over the channel, others by one process a line."""

from __future__ import annotations

from collections.abc import Sequence

from agenttower.bench.connection import Connection
from agenttower.bench.interface import Deadline
from agenttower.bench.transport import Finished, Launcher, ProgramMissing
from agenttower.bench.wording import one_line
from agenttower.errors import BenchConnectionLost, BenchTimeout, TmuxCommandFailed, TmuxUnavailable


class Servers:
    """Runs lines of tmux commands on any server of one bench, and other programs beside them.

    Panes that nobody made with AgentTower may stand on servers of their own (``tmux -L other``).
    Those are not worth a channel: nothing is created there, and they are asked rarely.
    """

    def __init__(self, connection: Connection, launcher: Launcher) -> None:
        self._connection = connection
        self._launcher = launcher
        self._own_socket = ""

    def line(
        self, socket_path: str, text: str, deadline: Deadline, *, disturbs: bool = False
    ) -> str:
        """Run one line of commands and return what they printed.

        :param socket_path: the server's; our own goes over the channel.
        :param text: a line of quoted parts, as in :mod:`agenttower.bench.commands`.
        :param disturbs: see :meth:`agenttower.bench.connection.Connection.request`.
        :raises TmuxCommandFailed: tmux refused, or no server listens at another socket.
        """
        if socket_path == self.own_socket(deadline):
            return self._connection.request(text, deadline, disturbs=disturbs)
        argv = [*_program(self._launcher.tmux), "-S", socket_path, "-u", "source-file", "-"]
        said = self.run(argv, f"{text}\n".encode("ascii"), deadline)
        if said.exit_code != 0 or said.stderr:
            reason = one_line(said.stderr or said.stdout) or f"exit code {said.exit_code}"
            raise TmuxCommandFailed(f"tmux at {socket_path} refused: {reason}", reason=reason)
        return said.stdout.removesuffix("\n")

    def own_socket(self, deadline: Deadline) -> str:
        """The path of the socket of the server that the channel goes to."""
        if not self._own_socket:
            answer = self._connection.request('display-message -p "#{socket_path}"', deadline)
            self._own_socket = answer
        return self._own_socket

    @property
    def named_socket(self) -> str:
        """The path that we name to tmux for our own server; empty where it takes its default."""
        argv = list(self._launcher.tmux)
        return argv[argv.index("-S") + 1] if "-S" in argv else ""

    def run(self, argv: Sequence[str], stdin: bytes, deadline: Deadline) -> Finished:
        """Run any program there, as the bench user, to its end.

        :raises TmuxUnavailable: the bench has no such program.
        """
        try:
            return self._launcher.run(argv, stdin, deadline)
        except ProgramMissing as error:
            raise TmuxUnavailable(f"the bench cannot start {error}") from error
        except TimeoutError as error:
            raise BenchTimeout(f"{argv[0]} did not end in time; the outcome is unknown") from error
        except OSError as error:
            raise BenchConnectionLost(f"the process in the bench was lost: {error}") from error


def _program(tmux: Sequence[str]) -> Sequence[str]:
    """The command without the socket that it names."""
    if "-S" in tmux:
        place = list(tmux).index("-S")
        return [*tmux[:place], *tmux[place + 2 :]]
    return tmux
