"""Wake-up across threads and processes: a datagram to everybody who listens to a topic.

A listener binds a socket in ``<state>/bells``; ringing sends one byte to each socket of the topic.
A ring carries nothing and may be lost or doubled: the rows are the truth (design.md section 2,
points 1 and 5). A ring sent before the listener waits is kept by the kernel, so that none falls
between "nothing there" and "wait".
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import uuid
from pathlib import Path
from typing import Literal

from agenttower.private import private_directory

Topic = Literal["queue", "events", "prompts", "logs"]
"""``queue``: a step may be runnable. ``events``: rows that readers watch have changed. ``prompts``:
a prompt may be delivered. ``logs``: a log was attached or detached."""

SAFETY_NET_S = 5.0
"""How long a listener trusts the bell before it looks by itself, in seconds."""


class Doorbell:
    """Rings the listeners of a directory. Safe for use by several threads."""

    def __init__(self, directory: Path) -> None:
        private_directory(directory)
        self._directory = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def ring(self, topic: Topic) -> None:
        """Wake every listener of ``topic``; a dead one's socket is cleared away."""
        for name in os.listdir(self._directory):
            if not name.startswith(f"{topic}."):
                continue
            try:
                self._socket.sendto(b"!", socket_address(self._directory, name))
            except BlockingIOError:
                pass  # its buffer is full of rings it has not heard yet
            except ConnectionRefusedError:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=self._directory)
            except FileNotFoundError:
                pass

    def listen(self, topic: Topic) -> Listener:
        """A new listener of ``topic``; close it when done."""
        return Listener(self._directory, topic)

    def close(self) -> None:
        """Stop ringing. Listeners live on."""
        self._socket.close()
        os.close(self._directory)


class Listener:
    """One waiter's end. :meth:`wait` belongs to one thread at a time, :meth:`wake` to any."""

    def __init__(self, directory: int, topic: Topic) -> None:
        self._directory = os.dup(directory)
        self._name = f"{topic}.{os.getpid()}.{uuid.uuid4().hex[:8]}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(socket_address(self._directory, self._name))
        os.chmod(self._name, 0o600, dir_fd=self._directory)

    def fileno(self) -> int:
        """For a selector: readable when rung."""
        return self._socket.fileno()

    def wait(self, timeout_s: float) -> bool:
        """Wait to be rung, at most ``timeout_s`` seconds; takes all rings that have come."""
        if timeout_s > 0 and not select.select([self._socket], [], [], timeout_s)[0]:
            return False
        rung = False
        with contextlib.suppress(BlockingIOError):
            while self._socket.recv(16):
                rung = True
        return rung

    def wake(self) -> None:
        """Ring this listener only, e.g. to let it see that it shall stop."""
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender,
        ):
            sender.sendto(b"!", socket_address(self._directory, self._name))

    def close(self) -> None:
        """Stop listening and take the socket away."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._name, dir_fd=self._directory)
        self._socket.close()
        os.close(self._directory)


def socket_address(directory: int, name: str) -> str:
    """A path short enough for ``sun_path`` however long the directory's own path is."""
    return f"/proc/self/fd/{directory}/{name}"
