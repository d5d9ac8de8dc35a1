"""What the rest of AgentTower knows of a bench: a container (or this machine) with a tmux.

Every call takes a ``deadline`` (``time.monotonic()`` seconds) and raises, beside what it says
itself, :class:`~agenttower.errors.BenchTimeout` and :class:`~agenttower.errors.BenchConnectionLost`
(outcome unknown), :class:`~agenttower.errors.ContainerInactive`,
:class:`~agenttower.errors.DockerUnavailable` and :class:`~agenttower.errors.TmuxUnavailable`
(nothing was done).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

Deadline = float
"""A point of ``time.monotonic()``, in seconds."""


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount of a container, as the engine's inspect gives it."""

    source: str
    target: str
    type: str
    mode: str
    rw: bool


@dataclass(frozen=True, slots=True)
class BenchInfo:
    """A bench as a provider sees it now. ``bench_id`` is 64 lower-case hex, also for ``local``."""

    bench_id: str
    name: str
    provider: Literal["docker", "local"]
    image: str
    status: str
    """The engine's word: ``running``, ``paused``, ``exited`` …"""
    started_at: str
    labels: Mapping[str, str] = field(default_factory=dict)
    mounts: Sequence[Mount] = ()
    user: str | None = None
    """``Config.User`` of the container, as configured (may be ``name:group`` or ``uid``)."""
    working_dir: str | None = None
    env_names: Sequence[str] = ()
    """Which of USER, HOME, WORKDIR, TMUX the container sets; never their values."""
    has_init: bool = True


@dataclass(frozen=True, slots=True)
class ScanFailure:
    """One container that a scan found and could not inspect."""

    bench_id: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class BenchScan:
    """What a provider's scan found: benches in scope, failures among them, and how many others."""

    benches: Sequence[BenchInfo]
    failures: Sequence[ScanFailure] = ()
    ignored: int = 0


@dataclass(frozen=True, slots=True)
class BenchEvent:
    """The engine told us of a change: ``start``, ``die``, ``pause``, ``unpause``, ``destroy``,
    ``rename``; or ``connected`` when the stream (re)opened and a scan is due."""

    kind: str
    bench_id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class PaneSpec:
    """A pane to be made, complete before its process starts (managed.md section 7).

    ``token`` (32 lower-case hex) is the pane's identity in tmux and decides "exists already".
    ``siblings`` are the tokens of the layout's other panes, in order: a living one is split, else
    the session is made. ``owner`` (hex) marks the session as this layout's. ``argv`` empty means
    the bench user's own shell. ``log_path`` is the path inside the bench, ``None`` for no log.
    """

    token: str
    owner: str
    session: str
    title: str
    argv: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    working_dir: str | None = None
    log_path: str | None = None
    siblings: Sequence[str] = ()
    layout: str = "tiled"
    """One of tmux's layouts: tiled, even-horizontal, even-vertical, main-horizontal,
    main-vertical. Another name is refused (``ValidationFailed``)."""


@dataclass(frozen=True, slots=True)
class PaneExit:
    """How the program in a pane ended. ``code`` is 128+n for signal n; ``elapsed_ms`` its life."""

    code: int
    elapsed_ms: int


@dataclass(frozen=True, slots=True)
class PaneView:
    """A pane of ours as tmux shows it at this moment."""

    token: str
    pane_id: str
    """tmux's ``%N``."""
    pane_pid: int
    socket_path: str
    server_id: str
    session_name: str
    window_index: int
    pane_index: int
    title: str
    piped: bool
    dead: bool
    """The pane's process was killed from outside: a placeholder stands in the pane. A program that
    just ended leaves ``dead`` false and sets ``exit``."""
    exit: PaneExit | None = None
    """Set once the program has ended, however it ended."""
    current_command: str = ""
    current_path: str = ""


@dataclass(frozen=True, slots=True)
class PaneTarget:
    """A pane of anybody's, addressed so that no other can be hit by mistake.

    ``%N`` begins anew with each server, so the pane's process is part of the address; a pane of
    ours is held by its token besides.
    """

    socket_path: str
    pane_id: str
    pane_pid: int
    token: str = ""


@dataclass(frozen=True, slots=True)
class FoundPane:
    """A pane as discovery sees it, ours or not. Text is as tmux gave it: neither cut nor clean."""

    socket_path: str
    session_name: str
    window_index: int
    pane_index: int
    pane_id: str
    pane_pid: int
    tty: str
    current_command: str
    current_path: str
    title: str
    focused: bool
    server: str
    """Tells servers on one socket apart: pid and start time."""
    token: str = ""
    """Set on panes of ours."""


@dataclass(frozen=True, slots=True)
class SocketFailure:
    """A tmux server that could not be asked; ``socket_path`` is ``None`` for the whole bench."""

    socket_path: str | None
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """Every pane of the bench user's tmux servers."""

    user: str
    panes: Sequence[FoundPane]
    listed: Sequence[str]
    """The sockets that exist, answering or not."""
    failures: Sequence[SocketFailure] = ()


@dataclass(frozen=True, slots=True)
class Screen:
    """What a person would see in a pane now. Lines are text without escapes, top to bottom."""

    lines: Sequence[str]
    cursor_x: int
    cursor_y: int
    """Counted from the top line."""
    command: str
    """The name of the program in the foreground."""
    dead: bool
    in_mode: bool
    """Somebody scrolls in it (copy mode) or looks at a menu: keys do not reach the program."""
    input_off: bool
    alternate: bool
    """A full-screen program has the screen."""


class ExitWatcher(Protocol):
    """Waits for tmux to tell that a program ended or a pane went."""

    def arm(self, deadline: Deadline) -> None:
        """From now on nothing is missed: the next :meth:`wait` tells of it."""

    def wait(self, deadline: Deadline) -> bool:
        """``True`` when something has ended, ``False`` at the deadline: call again to wait on."""

    def close(self) -> None:
        """End a wait that is under way in another thread."""


class Bench(Protocol):
    """A running bench. Safe for use by several threads."""

    @property
    def info(self) -> BenchInfo: ...

    def session_names(self, deadline: Deadline) -> Collection[str]:
        """Every session of the bench user's tmux server, ours for control left out."""

    def owns_session(self, owner: str, deadline: Deadline) -> bool:
        """Whether a session carries the mark of this layout, whatever it is called now."""

    def create_pane(self, spec: PaneSpec, deadline: Deadline) -> PaneView:
        """Make the pane, or adopt the one that has its token already; repeating makes no second.

        :raises SessionNameConflict: the session exists and belongs to somebody else.
        :raises TmuxCommandFailed: tmux refused, e.g. no space for another pane.
        """

    def find_panes(self, tokens: Collection[str] | None, deadline: Deadline) -> dict[str, PaneView]:
        """The panes of ours that exist, by token; ``None`` for all of them."""

    def set_title(self, token: str, title: str, deadline: Deadline) -> bool:
        """Give the pane its title; ``False`` where no pane has the token."""

    def ensure_pipe(
        self, token: str, log_path: str, deadline: Deadline, *, anew: bool = False
    ) -> bool:
        """Pipe the pane into ``log_path`` unless it is piped; ``False`` where it is gone.

        :param anew: also where it is piped, since that pipe writes into a file that was deleted.
        :raises LogNotVisible: the pipe ends at once, and the message says why.
        """

    def kill_pane(self, token: str, deadline: Deadline) -> bool:
        """Kill the pane and what runs in it; ``False`` where it was gone already."""

    def kill_leftovers(self, tokens: Collection[str], deadline: Deadline) -> int:
        """Kill every pane that was made for one of these tokens, also one that was never marked;
        returns how many. For panes whose rows are failed or removed."""

    def capture_tail(self, token: str, lines: int, deadline: Deadline) -> str:
        """The last lines of the pane's screen and history as text; empty where it is gone."""

    # --- anybody's panes -------------------------------------------------------------------------

    def discover_panes(self, deadline: Deadline) -> Discovery:
        """All panes on all tmux servers of the bench user. Part of it may fail and say so."""

    def pipe_into(
        self, target: PaneTarget, log_path: str, deadline: Deadline, *, anew: bool = False
    ) -> bool | None:
        """Send a pane's output into a file of the bench; what it was piped into before ends.

        A pipe into that very file is left alone, since to make it again would lose what is in it.

        :param anew: make it again all the same, e.g. since its file was put into place again.
        :return: whether somebody else's pipe was ended; ``None`` where the pane is gone.
        :raises LogNotVisible: the pipe ends at once, and the message says why.
        :raises PipePaneFailed: tmux refused.
        """

    def is_piped(self, target: PaneTarget, deadline: Deadline) -> bool | None:
        """Whether a pane's output goes somewhere; ``None`` where the pane is gone."""

    def is_written(self, log_path: str, deadline: Deadline) -> bool:
        """Whether a pipe stands into this file of the bench, the one that is there now."""

    def written_in(self, directory: str, deadline: Deadline) -> set[str]:
        """The files in a directory of the bench that its user's processes write now."""

    def unpipe(self, target: PaneTarget, deadline: Deadline) -> bool:
        """End a pane's pipe, if it has one; ``False`` where the pane is gone."""

    def screen(self, target: PaneTarget, deadline: Deadline) -> Screen | None:
        """What a pane shows; ``None`` where it is gone."""

    def paste(self, target: PaneTarget, text: bytes, deadline: Deadline) -> bool:
        """Give a pane's program text as one bracketed paste; ``False``, and nothing was given,
        where the pane is gone, dead or takes no input. Never repeated by itself."""

    def submit(self, target: PaneTarget, deadline: Deadline) -> bool:
        """Press Enter, also while somebody scrolls in the pane; ``False`` as for :meth:`paste`."""

    def clear_pastes(self, socket_path: str, deadline: Deadline) -> int:
        """Take away what a delivery that was cut short may have left in a tmux server."""

    def read_file(self, path: str, offset: int, limit: int, deadline: Deadline) -> bytes:
        """Bytes of a file as the bench user sees it, for logs that no mount shows us.

        :raises FileNotFoundError: there is none.
        """

    def make_file(self, path: str, deadline: Deadline) -> None:
        """Make a private file in the bench, in a directory of its user's own, or keep it.

        :raises LogNotVisible: something else is in the place of either.
        """

    def file_size(self, path: str, deadline: Deadline) -> int | None:
        """Bytes of a plain file of the bench; ``None`` where there is none."""

    def free_file(self, path: str, upto: int, deadline: Deadline) -> None:
        """Give the room of a file's first bytes back; offsets stay. Where that cannot be done
        without harm to who appends to it, nothing happens."""

    def watch_exits(self) -> ExitWatcher:
        """A waiter for "something in a pane ended"; the caller closes it."""

    def bench_uid(self, deadline: Deadline) -> int:
        """The numeric uid of the bench user, who owns the tmux server and writes the logs."""

    def close(self) -> None:
        """Close the channel. What runs in the bench goes on."""


class BenchProvider(Protocol):
    """A source of benches: ``docker`` or ``local``."""

    @property
    def name(self) -> str: ...

    def scan(self, name_contains: Sequence[str]) -> BenchScan:
        """Find the benches that run and are in scope.

        :raises DockerUnavailable: or one of its subclasses, when the engine cannot be asked.
        """

    def ping(self, timeout_s: float) -> bool:
        """Whether benches can be asked for now; ``False`` where this machine has no such engine.

        :param timeout_s: how long one exchange with an engine may take.
        :raises DockerUnavailable: or a subclass: there is an engine, and it does not answer.
        """

    def inspect(self, bench_id: str) -> BenchInfo:
        """The bench as it is now, in scope or not, running or not.

        :raises ContainerNotFound: the engine does not know it.
        """

    def open(
        self,
        bench_id: str,
        role: str = "worker",
        instance: str = "",
        lock_dir: Path | None = None,
    ) -> Bench:
        """A handle on a running bench; the channel itself opens at the first call.

        ``role`` and ``instance`` name the process that holds it; a later handle of the same two
        on the same bench ends the channel of the earlier one. ``lock_dir`` is shared by all who may
        have a handle on the bench at the same time (:mod:`agenttower.bench.opening_lock`).
        """

    def events(self, stop: Callable[[], bool]) -> Iterator[BenchEvent]:
        """Follow the engine until ``stop()``; reconnects by itself with backoff."""

    def close(self) -> None:
        """Close connections and end a running :meth:`events`."""
