"""Running a few processes together in the foreground, so that none outlives the others.

One thread, one selector: the children's output and this process's signals (SIGCHLD among them)
arrive as readable files. The kernel kills a child whose parent dies, so that not even ``kill -9``
leaves an orphan.
"""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

PR_SET_PDEATHSIG = 1
GRACE_SECONDS = 35.0
"""How long a child may take to stop before it is killed, which loses nothing: a worker first ends
the attempt that it is at, and that may take 30 s."""

LINE_LIMIT = 64 * 1024
DRAIN_READS = 64
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

WriteLine = Callable[[str, str], None]
"""Called with a process's name and one line of its output, without the line end."""


@dataclass(frozen=True, slots=True)
class Program:
    """A process to run: what to call it, and its argv."""

    name: str
    argv: Sequence[str]


def exit_code(returncode: int) -> int:
    """A child's return code as a shell shows it: 128 + n for signal n."""
    return 128 - returncode if returncode < 0 else returncode


class _Child:
    def __init__(
        self, program: Program, environ: Mapping[str, str], die_with_us: Callable[[], None]
    ) -> None:
        self.name = program.name
        self._partial = b""
        self.process = subprocess.Popen(
            program.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environ,
            # Its own session, so that a terminal's Ctrl-C reaches us only and we choose the order.
            start_new_session=True,
            preexec_fn=die_with_us,
        )
        assert self.process.stdout is not None
        self.output = self.process.stdout
        os.set_blocking(self.output.fileno(), False)

    def lines(self) -> Iterator[str] | None:
        """Complete lines that have arrived; ``None`` at the end of the output."""
        try:
            data = os.read(self.output.fileno(), LINE_LIMIT)
        except BlockingIOError:
            return iter(())
        if not data:
            return None
        *complete, self._partial = (self._partial + data).split(b"\n")
        if len(self._partial) > LINE_LIMIT:
            complete, self._partial = [*complete, self._partial], b""
        return (line.decode(errors="replace") for line in complete)

    def rest(self) -> str:
        """What came after the last line end."""
        rest, self._partial = self._partial, b""
        return rest.decode(errors="replace")


def supervise(
    programs: Sequence[Program],
    write: WriteLine,
    environ: Mapping[str, str] = os.environ,
    grace_seconds: float = GRACE_SECONDS,
) -> int:
    """Run ``programs`` until one of them ends or a stop signal comes, then stop them all.

    They are stopped one after the other, the last first; a second stop signal kills them.

    :returns: 0 where a signal ended it and every program then ended with 0; else the exit code of
        the first that did not, and 1 where a program ended with 0 unasked.
    """
    with _signals() as signals, selectors.DefaultSelector() as selector:
        selector.register(signals, selectors.EVENT_READ)
        return _Run(selector, signals, write, grace_seconds).run(programs, environ)


class _Run:
    def __init__(
        self, selector: selectors.BaseSelector, signals: int, write: WriteLine, grace: float
    ) -> None:
        self._selector = selector
        self._signals = signals
        self._write = write
        self._grace = grace
        self._children: list[_Child] = []
        self._asked = 0
        self._kill_at: float | None = None
        self._stopping: _Child | None = None

    def run(self, programs: Sequence[Program], environ: Mapping[str, str]) -> int:
        die_with_us = _death_pact()
        ended: _Child | None = None
        try:
            for program in programs:
                child = _Child(program, environ, die_with_us)
                self._children.append(child)
                self._selector.register(child.output, selectors.EVENT_READ, child)
            while self._alive():
                self._turn()
                ended = ended or self._first_ended()
                if self._asked or ended:
                    self._stop_next()
            self._drain()
        finally:
            self._end_all()
        return self._code(None if self._asked else ended or self._first_ended())

    def _alive(self) -> list[_Child]:
        return [child for child in self._children if child.process.poll() is None]

    def _first_ended(self) -> _Child | None:
        return next((c for c in self._children if c.process.poll() is not None), None)

    def _turn(self) -> None:
        """Wait for output, a signal, or the moment to kill; handle what came."""
        timeout = None if self._kill_at is None else max(0.0, self._kill_at - time.monotonic())
        for ready, _ in self._selector.select(timeout):
            if isinstance(ready.data, _Child):
                self._pass_on(ready.data)
            else:
                self._note_signals()

    def _note_signals(self) -> None:
        stops = sum(number in STOP_SIGNALS for number in os.read(self._signals, 256))
        self._asked += stops
        if stops and self._asked > stops:
            for child in self._alive():
                child.process.kill()

    def _pass_on(self, child: _Child) -> bool:
        lines = child.lines()
        if lines is None:
            if child.output in self._selector.get_map():
                self._selector.unregister(child.output)
            return False
        for line in lines:
            self._write(child.name, line)
        return True

    def _stop_next(self) -> None:
        """Ask the last living child to end, and kill it once its grace is over."""
        alive = self._alive()
        if not alive:
            return
        if self._stopping is not alive[-1]:
            self._stopping = alive[-1]
            self._stopping.process.terminate()
            self._kill_at = time.monotonic() + self._grace
        elif self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._write(self._stopping.name, f"did not stop within {self._grace:g} s; killed")
            self._stopping.process.kill()
            self._kill_at = None

    def _drain(self) -> None:
        """Write what the children said last. A grandchild may hold a pipe open: do not wait."""
        for child in self._children:
            for _ in range(DRAIN_READS):
                if not _readable(child.output.fileno()) or not self._pass_on(child):
                    break
            if rest := child.rest():
                self._write(child.name, rest)

    def _end_all(self) -> None:
        for child in self._children:
            if child.process.poll() is None:
                child.process.kill()
            child.process.wait()
            child.output.close()

    def _code(self, ended: _Child | None) -> int:
        if ended is not None:
            return exit_code(ended.process.returncode) or 1
        codes = (exit_code(child.process.returncode) for child in self._children)
        return next((code for code in codes if code), 0)


def _readable(fd: int) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_READ)
        return bool(selector.select(0))


def _death_pact() -> Callable[[], None]:
    """What a child runs before it becomes the program: the kernel is to kill it when we die."""
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def bind() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)  # it died before the kernel knew

    return bind


def _is_for_nohup(number: signal.Signals) -> bool:
    return number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN


@contextmanager
def _signals() -> Iterator[int]:
    """A file descriptor on which signals arrive as bytes, while their usual effect is off."""

    def ignore(_number: int, _frame: FrameType | None) -> None:
        pass

    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    numbers = [number for number in STOP_SIGNALS if not _is_for_nohup(number)]
    numbers.append(signal.SIGCHLD)
    before = {number: signal.signal(number, ignore) for number in numbers}
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)
