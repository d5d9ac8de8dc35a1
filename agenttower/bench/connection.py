"""A bench's line to its tmux server: opens when needed, heals by itself, one request at a time."""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from agenttower.bench.channel import OPEN, Channel, OpenRefused, Reply
from agenttower.bench.interface import Deadline
from agenttower.bench.opening_lock import OpeningLock
from agenttower.bench.probe import IN_CONTROL_SESSION, UNREADABLE
from agenttower.bench.protocol import ProtocolViolation
from agenttower.bench.quoting import quote
from agenttower.bench.transport import Finished, Launcher, ProgramMissing
from agenttower.bench.wording import one_line
from agenttower.errors import (
    BenchConnectionLost,
    BenchTimeout,
    DockerTimeout,
    TmuxCommandFailed,
    TmuxUnavailable,
)

OLDEST_TMUX = (3, 2)

BREAKER_SECONDS = 1.5
"""After a call that timed out, further ones fail at once for this long."""

PATIENCE_SECONDS = 0.25
"""A call that had less time than this says nothing about the bench when it times out."""

GOODBYE_SECONDS = 0.5
"""How long a client may take to end when it is asked to; 10 ms is usual."""

_UID = re.compile(r"[0-9]{1,10}")
_ADVICE = "install tmux 3.2 or newer in the bench"

UNSIZED = (
    "the bench's tmux has 'window-size manual' as a global option, and tmux 3.3 to 3.6 ends, with "
    "all its panes, when a session is made under it; take it out of the bench's tmux.conf, and run "
    "'tmux set-option -g window-size latest' there"
)


@dataclass(frozen=True, slots=True)
class ClientId:
    """Who holds a channel: a process role (``worker``, ``serve``) of one AgentTower instance."""

    role: str
    instance: str

    @property
    def option(self) -> str:
        """The tmux server option in which this holder's client is recorded."""
        safe = re.sub(r"[^a-z0-9]", "", f"{self.instance}".lower())[:8]
        return f"@agenttower_client_{re.sub(r'[^a-z]', '', self.role)}_{safe}"


class Connection:
    """Runs command lines on a bench's tmux. Safe for use by several threads.

    :param lock: shared with every other connection to the same bench.
    """

    def __init__(self, launcher: Launcher, client: ClientId, lock: OpeningLock) -> None:
        self._launcher = launcher
        self._client = client
        self._opening = lock
        self._lock = threading.Lock()
        self._channel: Channel | None = None
        self._awaited: Reply | None = None
        self._one_shot = False
        self._broken_until: Deadline = 0.0
        self._closed = False

    def request(self, line: str, deadline: Deadline, *, disturbs: bool = False) -> str:
        """Run one command line and return what its commands printed.

        :param disturbs: the line may make or end sessions or clients, or move a window's focus; see
            :mod:`agenttower.bench.opening_lock`.
        :raises TmuxCommandFailed: tmux answered with an error.
        :raises BenchTimeout: or :class:`BenchConnectionLost`; the outcome is unknown.
        :raises TmuxUnavailable: no tmux to talk to, and nothing was done.
        """
        with self._turn(deadline), ExitStack() as stack:
            channel = self._ready(deadline)
            if disturbs:
                stack.enter_context(self._opening.disturbing(deadline))
            with self._judged():
                if channel is not None:
                    return channel.request(line, deadline)
                return self._run_once(line, deadline)

    def begin_wait(self, line: str, deadline: Deadline) -> None:
        """Send the line of a :meth:`wait` that follows, unless one is under way. A bench that has
        no channel begins with the wait itself.

        :raises: as :meth:`request`.
        """
        with self._turn(deadline):
            channel = self._ready(deadline)
            if channel is not None and self._awaited is None:
                with self._judged():
                    self._awaited = channel.begin(line, deadline)

    def wait(self, line: str, deadline: Deadline) -> bool:
        """Run a line that may take for ever; ``False`` where it has not ended by the deadline.

        The next call goes on waiting for it, over the same channel: opening another one each time
        would put the tmux server at risk for nothing.

        :raises: as :meth:`request`.
        """
        with self._turn(deadline):
            channel = self._ready(deadline)
            with self._judged():
                if channel is None:
                    return self._waited_once(line, deadline)
                if self._awaited is None:
                    self._awaited = channel.begin(line, deadline)
                if not channel.finished(self._awaited, deadline):
                    return False
                reply, self._awaited = self._awaited, None
                reply.text()
                return True

    def uid(self, deadline: Deadline) -> int:
        """The uid the tmux server runs as.

        :raises: as :meth:`request`.
        """
        answer = self.request('display-message -p "#{uid}"', deadline)
        if not answer.isdecimal():  # tmux 3.2 does not know.
            answer = self._run(["id", "-u"], b"", deadline).stdout.strip()
        if not _UID.fullmatch(answer):
            raise TmuxUnavailable("the bench does not tell the uid of its user; is 'id' missing?")
        return int(answer)

    def close(self) -> None:
        """Close the channel for good, and the launcher with it."""
        self.hang_up()
        self._launcher.close()

    def hang_up(self) -> None:
        """Close the channel for good; a request under way in another thread fails."""
        self._closed = True
        channel = self._channel
        if channel is None:
            return
        deadline = time.monotonic() + GOODBYE_SECONDS
        with ExitStack() as stack:
            with suppress(BenchTimeout):  # who keeps others waiting so long does not open either
                stack.enter_context(self._opening.disturbing(deadline))
            channel.end_input()
            if self._lock.acquire(timeout=max(deadline - time.monotonic(), 0.0)):
                try:
                    channel.leave(deadline)
                finally:
                    self._lock.release()
            channel.close()

    @contextmanager
    def _turn(self, deadline: Deadline) -> Iterator[None]:
        self._refuse_while_broken()
        if not self._lock.acquire(timeout=max(deadline - time.monotonic(), 0.0)):
            raise BenchTimeout("the bench is busy with another call; nothing was sent")
        try:
            self._refuse_while_broken()
            if time.monotonic() >= deadline:
                raise BenchTimeout("the deadline had passed already; nothing was sent")
            yield
        finally:
            self._lock.release()

    def _refuse_while_broken(self) -> None:
        if self._closed:
            raise BenchConnectionLost("this handle on the bench was closed; nothing was sent")
        if time.monotonic() < self._broken_until:
            raise BenchTimeout("the bench did not answer a moment ago; nothing was sent this time")

    @contextmanager
    def _judged(self) -> Iterator[None]:
        """Give up the channel when a call fails by it, and spare the bench after one that hung."""
        started = time.monotonic()
        try:
            yield
        except (BenchTimeout, DockerTimeout):
            self._drop()
            if time.monotonic() - started >= PATIENCE_SECONDS:
                self._broken_until = time.monotonic() + BREAKER_SECONDS
            raise
        except BenchConnectionLost:
            self._drop()
            raise

    def _drop(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        self._awaited = None
        self._one_shot = False

    # --- opening ---------------------------------------------------------------------------------

    def _ready(self, deadline: Deadline) -> Channel | None:
        """The open channel; ``None`` where the bench has to do without."""
        waiting = self._channel is not None and self._awaited is not None
        if self._channel is not None and not waiting and not self._channel.alive():
            self._drop()
        if self._channel is None and not self._one_shot:
            with self._judged():
                self._launcher.check(deadline)
            with self._opening.opening(deadline), self._judged():
                self._open(deadline)
        return self._channel

    def _open(self, deadline: Deadline) -> None:
        """Open a control-mode client; where that is refused, fall back to one exec per call."""
        channel: Channel | None = None
        try:
            channel = Channel(self._launcher.start([*self._launcher.tmux, *OPEN], deadline))
            channel.handshake(deadline)
            self._introduce(channel, deadline)
            if self._closed:  # hung up while it was being opened, when there was nothing to close
                channel.leave(time.monotonic() + GOODBYE_SECONDS)
                raise BenchConnectionLost("this handle on the bench was closed; nothing was sent")
            self._channel, channel = channel, None
            return
        except ProgramMissing as error:
            raise _missing(error) from error
        except TimeoutError as error:
            raise BenchTimeout("tmux did not start in time") from error
        except (OpenRefused, OSError, ProtocolViolation, TmuxCommandFailed) as error:
            refusal = one_line(str(error))
        finally:
            if channel is not None:
                channel.close()
        self._fall_back(refusal, deadline)

    def _introduce(self, channel: Channel, deadline: Deadline) -> None:
        """Check the version, give the server an identity, end our previous incarnation's client."""
        option = self._client.option
        answer = channel.request(
            f"{_identify()} ; "
            'set-option -F @agenttower_internal "#{session_id}" ; '
            "set-option destroy-unattached off ; "
            f'display-message -p "#{{version}}|#{{client_created}} #{{client_name}}|#{{{option}}}"',
            deadline,
        )
        if answer.count("|") < 2:
            raise TmuxCommandFailed(UNREADABLE)
        version, me, before = answer.split("|", 2)
        require_version(version)
        if before == me:
            return
        listed = channel.request(
            f'list-clients -F "#{{client_control_mode}} {IN_CONTROL_SESSION} '
            '#{client_created} #{client_name}"',
            deadline,
        )
        if before and f"1 1 {before}" in listed.splitlines():
            with suppress(TmuxCommandFailed):  # It may just have gone by itself.
                channel.request(f"detach-client -t {quote(before.partition(' ')[2])}", deadline)
        channel.request(f"set-option -s {option} {quote(me)}", deadline)

    def _fall_back(self, refusal: str, deadline: Deadline) -> None:
        """Find out why control mode does not work, and go without it if tmux answers at all."""
        said = self._run([*self._launcher.tmux, "-V"], b"", deadline)
        if said.exit_code != 0:
            reason = one_line(said.stderr or said.stdout) or refusal
            raise TmuxUnavailable(f"tmux does not run in the bench: {reason}; {_ADVICE}")
        require_version(said.stdout)
        try:
            sizing = self._run_once("show-options -g -v window-size", deadline)
        except TmuxCommandFailed as error:
            raise TmuxUnavailable(
                f"tmux in the bench refuses to work: {refusal}; {error.message}"
            ) from error
        if sizing == "manual":
            raise TmuxUnavailable(UNSIZED)
        self._one_shot = True

    # --- without a channel -----------------------------------------------------------------------

    def _run_once(self, line: str, deadline: Deadline) -> str:
        """One process per line, which tmux reads from stdin: no limit and no quoting of argv."""
        script = f"{_identify()}\n{line}\n".encode("ascii")
        argv = [*self._launcher.tmux, "-u", "start-server", ";", "source-file", "-"]
        said = self._run(argv, script, deadline)
        if said.exit_code != 0 or said.stderr:
            reason = one_line(said.stderr or said.stdout) or f"exit code {said.exit_code}"
            raise TmuxCommandFailed(f"tmux refused: {reason}", reason=reason)
        return said.stdout.removesuffix("\n")

    def _waited_once(self, line: str, deadline: Deadline) -> bool:
        try:
            self._run_once(line, deadline)
        except BenchTimeout:
            return False
        return True

    def _run(self, argv: list[str], stdin: bytes, deadline: Deadline) -> Finished:
        try:
            return self._launcher.run(argv, stdin, deadline)
        except ProgramMissing as error:
            raise _missing(error) from error
        except TimeoutError as error:
            raise BenchTimeout("tmux did not answer in time; the outcome is unknown") from error
        except OSError as error:
            raise BenchConnectionLost(f"the process in the bench was lost: {error}") from error


def require_version(text: str) -> None:
    """Accept tmux 3.2 and newer; ``text`` is ``#{version}`` or the output of ``tmux -V``.

    :raises TmuxUnavailable: naming the version found.
    """
    found = re.search(r"(\d+)\.(\d+)", text)
    if found and (int(found[1]), int(found[2])) < OLDEST_TMUX:
        raise TmuxUnavailable(f"the bench has {one_line(text)!r}, which is too old; {_ADVICE}")


def _missing(error: ProgramMissing) -> TmuxUnavailable:
    return TmuxUnavailable(f"the bench cannot start {error}; {_ADVICE}")


def _identify() -> str:
    """Name the tmux server, unless it has a name: a new server is noticed by its new name."""
    return f"set-option -s -o -q @agenttower_server {quote(uuid.uuid4().hex)}"
