"""One front end per state directory: lock, socket and pid file, from start to end.

The lock alone decides who is alive (legacy surfaces, section 2); socket and pid files that are
found once it is held are leftovers.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

from agenttower import instance_lock
from agenttower.errors import StateRefused
from agenttower.paths import Paths
from agenttower.private import FILE_MODE, open_private_file, private_directory

BACKLOG = 512


class Instance:
    """The right to be the front end of a state directory. Close it, or use it in ``with``."""

    def __init__(self, paths: Paths) -> None:
        """Take the lock, making the state directory where it is missing.

        :raises StateRefused: a directory or file cannot be used as it is (exit 1).
        :raises AlreadyRunning: another process holds the lock (exit 2).
        """
        self._paths = paths
        self._socket_file: tuple[int, int] | None = None
        private_directory(paths.state_dir)
        private_directory(paths.logs_dir, passable=True)
        self._lock: int | None = instance_lock.take(paths.lock_file, "front end")

    def listen(self) -> socket.socket:
        """Bind the socket, owner-only from its first moment, then write the pid file.

        :returns: a listening socket, for the caller to close.
        :raises StateRefused: something that is no socket is in its place, or it cannot be bound.
        """
        path = self._paths.socket
        _clear_leftover(path)
        _clear_leftover_pid(self._paths.pid_file)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # A socket's file gets the mode of its descriptor; no umask of the process is touched.
            os.fchmod(listener.fileno(), FILE_MODE)
            _bind(listener, path)
            status = os.stat(path, follow_symlinks=False)
            self._socket_file = (status.st_dev, status.st_ino)
            if stat.S_IMODE(status.st_mode) != FILE_MODE or status.st_uid != os.geteuid():
                raise StateRefused(
                    f"socket {path} did not get mode 0600 and your uid; put the state directory "
                    "on a file system with permissions (see XDG_STATE_HOME)"
                )
            listener.listen(BACKLOG)
            self._write_pid()
        except OSError as error:
            listener.close()
            raise StateRefused(f"socket {path} cannot be bound: {error.strerror}") from error
        except BaseException:
            listener.close()
            raise
        return listener

    def close(self) -> None:
        """Remove socket and pid file, clear the lock's contents, release it. Safe to call twice."""
        lock, self._lock = self._lock, None
        if lock is None:
            return
        try:
            self._remove_files()
            os.ftruncate(lock, 0)
        finally:
            os.close(lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _write_pid(self) -> None:
        line = f"{os.getpid()}\n".encode()
        fd = open_private_file(self._paths.pid_file)
        try:
            os.write(fd, line)
        finally:
            os.close(fd)
        if self._lock is not None:
            os.pwrite(self._lock, line, 0)

    def _remove_files(self) -> None:
        if self._socket_file is None:
            return
        with contextlib.suppress(FileNotFoundError):
            status = os.stat(self._paths.socket, follow_symlinks=False)
            if (status.st_dev, status.st_ino) == self._socket_file:
                os.unlink(self._paths.socket)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._paths.pid_file)
        self._socket_file = None


def _clear_leftover(path: Path) -> None:
    try:
        status = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise StateRefused(f"{path} is in the place of the socket and is none; move it away")
    os.unlink(path)


def _clear_leftover_pid(path: Path) -> None:
    try:
        os.close(open_private_file(path))
        os.unlink(path)
    except FileNotFoundError:
        return


def _bind(listener: socket.socket, path: Path) -> None:
    """Bind by way of the directory's descriptor: an address holds 107 bytes, a path any number."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        listener.bind(f"/proc/self/fd/{directory}/{path.name}")
    finally:
        os.close(directory)
