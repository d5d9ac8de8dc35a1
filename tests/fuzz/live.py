"""A real ``serve`` process and a crowd of bad clients around one good one, who is timed."""

from __future__ import annotations

import os
import random
import re
import socket
import statistics
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from agenttower.rpc.limits import Limits
from tests.fuzz.ground import Said
from tests.fuzz.lines import GOOD, HOSTILE
from tests.fuzz.oracle import Broken, check_answer
from tests.support.rpc_server import read_all
from tests.support.state_home import make_state_home
from tests.support.tower import Tower
from tests.support.waiting import wait_until

NAME = "live"

CLIENTS = 12
SETTLED_S = 2.0
PATIENCE_S = 15.0
"""Silent clients are thrown out after 10 s."""
GROWTH_MB = 40
"""Beyond what the process had after its first requests: a leak of a few bytes a request shows."""
OTHER_THREADS = 2
"""Besides those of the pool: the reactor, and who listens for changes."""
_DATABASE = 3
"""Descriptors that a thread takes with its connection to the database."""
WAITED_S = 3.0
"""No good client ever waits so long, whatever the others do."""

_WRONG = re.compile(r"Traceback|failed unexpectedly|ERROR|CRITICAL")


@dataclass
class Outcome:
    """How the process took it."""

    target: str = NAME
    exchanges: Counter[str] = field(default_factory=Counter)
    answers: int = 0
    waits: list[float] = field(default_factory=list)
    """Seconds of each request of the good client."""
    memory_mb: tuple[float, float] = (0, 0)
    descriptors: tuple[int, int] = (0, 0)
    threads: tuple[int, int] = (0, 0)
    wrong: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    @property
    def failure(self) -> str:
        return "\n".join(self.wrong[:5])

    def __str__(self) -> str:
        waits = sorted(self.waits) or [0.0]
        told = (
            f"{self.target:10} {self.exchanges.total():>8} bad exchanges "
            f"({', '.join(f'{count} {name}' for name, count in sorted(self.exchanges.items()))}), "
            f"{len(self.waits)} good ones: median {1000 * statistics.median(waits):.1f} ms, "
            f"99 % {1000 * waits[len(waits) * 99 // 100]:.0f} ms, worst {1000 * waits[-1]:.0f} ms; "
            f"memory {self.memory_mb[0]:.0f} -> {self.memory_mb[1]:.0f} MB, descriptors "
            f"{self.descriptors[0]} -> {self.descriptors[1]}, threads "
            f"{self.threads[0]} -> {self.threads[1]}"
        )
        return told if not self.wrong else f"{told}\nFAILED {self.failure}"


def run(seconds: float, seed: int) -> Outcome:
    """Treat a process of its own badly for so long. What is wrong is in the outcome."""
    outcome = Outcome()
    with ExitStack() as stack:
        home = stack.enter_context(make_state_home())
        tower = Tower(home)
        stack.callback(tower.close)
        tower.start("serve")
        crowd = [Rude(tower.socket_path, f"{seed}/{number}", outcome) for number in range(CLIENTS)]
        _together([client.begin for client in crowd])  # so that every thread has been started
        pid = tower.processes["serve"].pid
        before = _size(pid)
        stop = threading.Event()
        good = [lambda: _good_client(tower.socket_path, stop, outcome)]
        timer = threading.Timer(seconds, stop.set)
        timer.start()
        try:
            _together([*good, *(lambda one=one: one.go_on(stop) for one in crowd)])
        finally:
            timer.cancel()
        _judge(outcome, tower, pid, before)
    return outcome


def _judge(outcome: Outcome, tower: Tower, pid: int, before: Size) -> None:
    serve = tower.processes["serve"]
    if serve.poll() is not None:
        outcome.wrong.append(f"serve ended with {serve.returncode}:\n{tower.logs()[-3000:]}")
        return
    with suppress(AssertionError):  # judged below
        wait_until(lambda: _size(pid).descriptors <= before.descriptors, SETTLED_S, "less")
    after = _size(pid)
    outcome.memory_mb = (before.memory_mb, after.memory_mb)
    outcome.descriptors = (before.descriptors, after.descriptors)
    outcome.threads = (before.threads, after.threads)
    if after.threads > Limits().threads + OTHER_THREADS:
        outcome.wrong.append("threads are left behind")
    if after.descriptors > before.descriptors + _DATABASE * (after.threads - before.threads):
        outcome.wrong.append("descriptors are left open")
    if after.memory_mb > before.memory_mb + GROWTH_MB:
        outcome.wrong.append("memory grows")
    if max(outcome.waits, default=WAITED_S) >= WAITED_S:
        outcome.wrong.append("a good client waited too long")
    if found := _WRONG.search(said := tower.logs()):
        outcome.wrong.append(f"the log tells of an error:\n{said[found.start() :][:2000]}")


def _good_client(path: Path, stop: threading.Event, outcome: Outcome) -> None:
    turn = 0
    while not stop.is_set():
        line = GOOD[turn % len(GOOD)]
        turn += 1
        began = time.monotonic()
        try:
            answer = _exchange(path, line + b"\n")
            outcome.waits.append(time.monotonic() - began)
            check_answer(line, Said(answer, True))
        except (OSError, Broken) as error:
            outcome.wrong.append(f"the good client: {line!r}: {error!r}")
            stop.set()


class Rude:
    """A client that does one bad thing after another; its choices come from its part of a seed."""

    def __init__(self, path: Path, seed: str, outcome: Outcome) -> None:
        self._path = path
        self._dice = random.Random(seed)
        self._outcome = outcome
        self._held: list[socket.socket] = []

    def begin(self) -> None:
        """A few harmless requests."""
        for line in GOOD * 5:
            _exchange(self._path, line + b"\n")

    def go_on(self, stop: threading.Event) -> None:
        """Until told to stop; leaves no connection behind."""
        deeds = (self.ask, self.ask, self.ask, self.pieces, self.cut, self.reset, self.leave,
                 self.hold, self.flood, self.let_go)  # fmt: skip
        try:
            while not stop.is_set():
                deed = self._dice.choice(deeds)
                self._outcome.exchanges[deed.__name__] += 1
                with suppress(OSError):
                    deed()
        except Broken as error:
            self._outcome.wrong.append(str(error))
            stop.set()
        finally:
            self.let_go()

    def ask(self) -> None:
        line = self._line()
        check_answer(line, Said(_exchange(self._path, line + b"\n"), True))

    def pieces(self) -> None:
        line = self._line() + b"\n"
        cut = self._dice.randrange(len(line))
        with _connect(self._path) as connection:
            connection.sendall(line[:cut])
            connection.sendall(line[cut:])
            check_answer(line[:-1], Said(read_all(connection), True))

    def cut(self) -> None:
        line = self._line()[:500]
        with _connect(self._path) as connection:
            connection.sendall(line)
            connection.shutdown(socket.SHUT_WR)
            read_all(connection)

    def reset(self) -> None:
        with _connect(self._path) as connection:
            connection.sendall(self._line()[:100])
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def leave(self) -> None:
        with _connect(self._path) as connection:
            connection.sendall(self._line() + b"\n")

    def hold(self) -> None:
        if len(self._held) < 20:
            connection = _connect(self._path)
            self._held.append(connection)
            connection.sendall(self._line()[: self._dice.randrange(40)])

    def flood(self) -> None:
        with _connect(self._path) as connection:
            for _ in range(4):
                connection.sendall(b"x" * 65536)

    def let_go(self) -> None:
        while self._held:
            self._held.pop().close()

    def _line(self) -> bytes:
        dice = self._dice
        line = bytearray(dice.choice(GOOD if dice.random() < 0.7 else HOSTILE))
        for _ in range(dice.choice((0, 0, 1, 3))):
            at = dice.randrange(len(line) + 1)
            line[at : at + dice.randrange(3)] = dice.randbytes(dice.randrange(3))
        return bytes(line).replace(b"\n", b" ")


@dataclass(frozen=True, slots=True)
class Size:
    """What a process takes."""

    memory_mb: float
    descriptors: int
    threads: int


def _size(pid: int) -> Size:
    status = Path(f"/proc/{pid}/status").read_text()
    found = dict(re.findall(r"^(VmRSS|Threads):\s+(\d+)", status, re.M))
    descriptors = len(os.listdir(f"/proc/{pid}/fd"))
    return Size(int(found["VmRSS"]) / 1024, descriptors, int(found["Threads"]))


def _connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(PATIENCE_S)
    try:
        connection.connect(str(path))
    except BaseException:
        connection.close()
        raise
    return connection


def _exchange(path: Path, data: bytes) -> bytes:
    with _connect(path) as connection:
        # A refusal may come before everything has been taken.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data)
        return read_all(connection)


def _together(jobs: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
