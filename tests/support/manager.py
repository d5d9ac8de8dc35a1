"""The service manager's end of ``sd_notify``: what a process tells it, and when."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.support.waiting import wait_until


class Manager:
    """Listens where ``NOTIFY_SOCKET`` points to."""

    def __init__(self, listener: socket.socket, path: Path) -> None:
        self._listener = listener
        self.environ = {"NOTIFY_SOCKET": str(path)}
        self.told: list[str] = []

    def hear(self) -> list[str]:
        """All that was told so far, and since the last :meth:`forget`."""
        while True:
            try:
                self.told += self._listener.recv(4096).decode().splitlines()
            except BlockingIOError:
                return self.told

    def forget(self) -> None:
        """Take what has come, and begin anew."""
        self.hear()
        self.told.clear()

    def wait_for(self, state: str, deadline_s: float) -> None:
        """Wait until a process has told ``state``."""
        wait_until(lambda: state in self.hear(), deadline_s, f"{state}, not only {self.told}")


@contextmanager
def listening(path: Path) -> Iterator[Manager]:
    """A manager at ``path``."""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listener:
        listener.bind(str(path))
        listener.setblocking(False)
        yield Manager(listener, path)
