"""Where the output of a pane goes, on any tmux server of the bench, and files of the bench itself.

tmux cannot tell what a pane is piped into, only that it is. What proves that a pipe is ours is its
process in the bench, which holds the log open: see :func:`~agenttower.bench.pipe_lines.WRITERS`.
"""

from __future__ import annotations

import base64
import re
import time

from agenttower.bench import commands, pipe_lines
from agenttower.bench.commands import ABSENT, DONE
from agenttower.bench.interface import Deadline, PaneTarget
from agenttower.bench.servers import Servers
from agenttower.bench.transport import Finished
from agenttower.bench.wording import one_line
from agenttower.errors import LogNotVisible, PipePaneFailed, TmuxCommandFailed

PIPE_SECONDS = 0.2
"""A pipe that cannot work ends within this time, by far."""

_PAUSE_SECONDS = 0.02
_SIZE = re.compile(r"[0-9]{1,18}")


class Piping:
    """See :class:`agenttower.bench.interface.Bench`."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    def pipe_into(
        self, target: PaneTarget, log_path: str, deadline: Deadline, *, anew: bool = False
    ) -> bool | None:
        piped = self.is_piped(target, deadline)
        if piped is None:
            return None
        if piped and not anew and self.is_written(log_path, deadline):
            return False
        if self._ask(target, pipe_lines.pipe(target, log_path), deadline) != DONE:
            return None
        until = min(time.monotonic() + PIPE_SECONDS, deadline)
        while True:
            standing = self.is_piped(target, deadline)
            if standing is None:
                return None
            if not standing:
                raise LogNotVisible(self._why_no_pipe(target, log_path, deadline))
            if time.monotonic() >= until:
                return piped
            time.sleep(_PAUSE_SECONDS)

    def is_piped(self, target: PaneTarget, deadline: Deadline) -> bool | None:
        answer = self._ask(target, pipe_lines.look(target), deadline)
        return None if answer == ABSENT else answer == "1"

    def is_written(self, log_path: str, deadline: Deadline) -> bool:
        return self._run(pipe_lines.WRITERS, deadline, log_path).exit_code == 0

    def written_in(self, directory: str, deadline: Deadline) -> set[str]:
        return set(self._run(pipe_lines.WRITTEN, deadline, directory).stdout.splitlines())

    def unpipe(self, target: PaneTarget, deadline: Deadline) -> bool:
        return self._ask(target, pipe_lines.unpipe(target), deadline) == DONE

    def make_file(self, path: str, deadline: Deadline) -> None:
        done = self._run(pipe_lines.MAKE_FILE, deadline, path)
        if done.exit_code != 0:
            said = one_line(done.stderr or done.stdout) or f"exit code {done.exit_code}"
            raise LogNotVisible(
                f"the file {path} cannot be made in the bench: {said}; move what is in its "
                "place away, or make room there"
            )

    def file_size(self, path: str, deadline: Deadline) -> int | None:
        said = self._run(pipe_lines.SIZE, deadline, path).stdout.strip()
        return int(said) if _SIZE.fullmatch(said) else None

    def read_file(self, path: str, offset: int, limit: int, deadline: Deadline) -> bytes:
        done = self._run(pipe_lines.READ, deadline, path, f"{offset + 1:d}", f"{limit:d}")
        if done.exit_code == pipe_lines.NO_FILE:
            raise FileNotFoundError(path)
        try:
            return base64.b64decode("".join(done.stdout.split()), validate=True)
        except ValueError as error:  # no base64, or not even ASCII
            reason = f"{path} could not be read in the bench: {one_line(done.stderr)}"
            raise TmuxCommandFailed(reason, reason=reason) from error

    def free_file(self, path: str, upto: int, deadline: Deadline) -> None:
        self._run(pipe_lines.FREE, deadline, path, f"{upto:d}")

    def _ask(self, target: PaneTarget, line: str, deadline: Deadline) -> str:
        """:raises PipePaneFailed: tmux refused; a server that is gone has no panes."""
        try:
            return self._servers.line(target.socket_path, line, deadline)
        except TmuxCommandFailed as error:
            reason = str(error.details.get("reason", ""))
            if pipe_lines.NO_SERVER.search(reason):
                return ABSENT
            raise PipePaneFailed(error.message) from error

    def _run(self, script: str, deadline: Deadline, *arguments: str) -> Finished:
        return self._servers.run(["sh", "-c", script, "agenttower", *arguments], b"", deadline)

    def _why_no_pipe(self, target: PaneTarget, log_path: str, deadline: Deadline) -> str:
        found = self._ask(target, commands.try_log(log_path), deadline)
        return why_no_pipe(found, log_path)


def why_no_pipe(found: str, log_path: str) -> str:
    """What to say of a pipe that ended at once, by the answer to ``commands.try_log``."""
    if found == commands.NO_CAT:
        return "the bench has no 'cat' to write the pane's log with; install coreutils there"
    if found == commands.NO_WAY:
        return (
            f"the bench user cannot write the pane's log {log_path}; see whether its directory "
            "is mounted in the bench and writable"
        )
    return (
        f"the pane's log pipe to {log_path} ended at once; see whether the disk is full, and "
        "whether 'cat' works in the bench"
    )
