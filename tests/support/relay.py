"""A Unix socket that passes connections on to another, and can fail as the other side would."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Relay:
    """Passes on every connection to ``path`` until told otherwise."""

    def __init__(self, path: str, url: str) -> None:
        self._target = url.removeprefix("unix://")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(16)
        self._ends: list[socket.socket] = []
        self._hanging = False
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def hang_up(self) -> None:
        """Cut every connection, as an engine that restarts does; new ones work."""
        for end in list(self._ends):
            _cut(end)

    def hang(self) -> None:
        """Cut every connection; new ones are taken and never answered."""
        self._hanging = True
        self.hang_up()

    def close(self) -> None:
        _cut(self._listener)
        self._threads[0].join(10)
        self.hang_up()
        for thread in self._threads[1:]:
            thread.join(10)
        for end in (self._listener, *self._ends):
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._ends.append(client)
            if self._hanging:
                continue
            target = socket.socket(socket.AF_UNIX)
            self._ends.append(target)
            target.connect(self._target)
            for pair in ((client, target), (target, client)):
                self._threads.append(threading.Thread(target=_pump, args=pair))
                self._threads[-1].start()


@contextmanager
def relay(path: str, url: str) -> Iterator[Relay]:
    """A relay from ``path`` to the Unix socket of ``url``, closed at the end."""
    running = Relay(path, url)
    try:
        yield running
    finally:
        running.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        _cut(end)


def _cut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
