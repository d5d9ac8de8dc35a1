"""How other threads and signal handlers interrupt the reactor's wait."""

from __future__ import annotations

import os
import threading


class Waker:
    """An eventfd that can be rung at any time, also after it was closed."""

    def __init__(self) -> None:
        # Reentrant, because a signal handler may ring while its own thread is ringing.
        self._lock = threading.RLock()
        self._fd: int | None = None

    def open(self) -> int:
        """Make the descriptor to wait on; it is readable once rung."""
        with self._lock:
            self._fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            return self._fd

    def ring(self) -> None:
        """Make the descriptor readable; many rings before one look are one."""
        with self._lock:
            if self._fd is not None:
                os.eventfd_write(self._fd, 1)

    def quiet(self) -> None:
        """Make it unreadable again."""
        with self._lock:
            if self._fd is not None:
                try:
                    os.eventfd_read(self._fd)
                except BlockingIOError:
                    return

    def close(self) -> None:
        """Close the descriptor. Safe to call twice."""
        with self._lock:
            fd, self._fd = self._fd, None
            if fd is not None:
                os.close(fd)
