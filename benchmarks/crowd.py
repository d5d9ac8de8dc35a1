"""Many clients in a process of their own: ``python -m benchmarks.crowd``, see :func:`main`.

They are threads, and the daemon's own processor is what is measured, so a few processes share them.
"""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agenttower.client import call
from agenttower.errors import AgentTowerError

Asked = tuple[str, dict[str, Any]]


@dataclass
class Found:
    """What clients met: milliseconds by what was asked, and every answer that was no result."""

    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)

    def add(self, other: Mapping[str, Any]) -> None:
        for name, values in other["took"].items():
            self.took[name] += values
        self.errors += other["errors"]


class Crowd:
    """Clients that read, each at its own pace, for some seconds."""

    PROCESSES = 4

    def __init__(
        self,
        socket_path: Path,
        reads: Sequence[Asked],
        clients: int,
        seconds: float,
        pause_s: float,
    ) -> None:
        """:param pause_s: on average between an answer and that client's next request."""
        self._processes = [
            _start(
                "read", socket_path, json.dumps(reads), clients // self.PROCESSES, seconds, pause_s
            )
            for _ in range(self.PROCESSES)
        ]

    def found(self) -> Found:
        """Wait for their end."""
        together = Found()
        for process in self._processes:
            said, _ = process.communicate()
            assert process.returncode == 0, said
            together.add(json.loads(said))
        return together


class Silence:
    """Connections that send nothing, or half a request, and are made again when they are closed."""

    def __init__(self, socket_path: Path, count: int) -> None:
        self._process = _start("hold", socket_path, count)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"held\n"

    def close(self) -> None:
        self._process.terminate()
        self._process.communicate()


def _start(*arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.crowd", *map(str, arguments)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    )


def main() -> None:
    """``read SOCKET REQUESTS CLIENTS SECONDS PAUSE``, or ``hold SOCKET COUNT``."""
    what, path, *rest = sys.argv[1:]
    if what == "hold":
        _hold(path, int(rest[0]))
        return
    reads = [(name, dict(params)) for name, params in json.loads(rest[0])]
    clients, until, pause_s = int(rest[1]), time.monotonic() + float(rest[2]), float(rest[3])
    found, lock = Found(), threading.Lock()

    def client() -> None:
        mine = Found()
        time.sleep(random.uniform(0, 2 * pause_s))
        while time.monotonic() < until:
            name, params = random.choice(reads)
            start = time.perf_counter()
            try:
                call(path, name, params)
                mine.took[name].append((time.perf_counter() - start) * 1e3)
            except (AgentTowerError, OSError) as error:
                mine.errors.append(f"{name}: {error}")
            time.sleep(random.uniform(0, 2 * pause_s))
        with lock:
            found.add({"took": mine.took, "errors": mine.errors})

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({"took": found.took, "errors": found.errors}))


def _hold(path: str, count: int) -> None:
    with ExitStack() as stack:
        held = [stack.enter_context(_half(path, number)) for number in range(count)]
        print("held", flush=True)
        while True:  # until SIGTERM
            for number, one in enumerate(held):
                with suppress(BlockingIOError):
                    if not one.recv(4096, socket.MSG_DONTWAIT):
                        one.close()
                        held[number] = stack.enter_context(_half(path, number))
            time.sleep(0.05)


def _half(path: str, number: int) -> socket.socket:
    one = socket.socket(socket.AF_UNIX)
    one.connect(path)
    one.sendall(b'{"method":"managed.layout.list","params":{'[: number % 40])
    return one


if __name__ == "__main__":
    main()
