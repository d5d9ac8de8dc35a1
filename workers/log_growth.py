"""Which log files grow, as the kernel tells it: inotify on their directories."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

_MODIFY = 0x2
_EVENT = struct.Struct("iIII")
_BUFFER = 65536

_libc = ctypes.CDLL(None, use_errno=True)


class LogGrowth:
    """Hears of every write into the files of some directories. For one thread.

    Where the kernel gives no more watches, a directory is silently not heard: whoever waits must
    look by itself now and then.
    """

    def __init__(self) -> None:
        self._file: int = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1 failed")
        self._directories: dict[int, Path] = {}

    def fileno(self) -> int:
        """For a selector: readable when something has grown."""
        return self._file

    def follow(self, directories: Collection[Path]) -> None:
        """Hear of these directories, and of no others any more."""
        wanted = set(directories)
        for number, directory in list(self._directories.items()):
            if directory not in wanted:
                _libc.inotify_rm_watch(self._file, number)
                del self._directories[number]
        for directory in wanted - set(self._directories.values()):
            number = _libc.inotify_add_watch(self._file, os.fsencode(directory), _MODIFY)
            if number >= 0:
                self._directories[number] = directory

    def grown(self) -> set[Path]:
        """The files that were written to since the last call; does not wait."""
        found: set[Path] = set()
        with suppress(BlockingIOError):
            while data := os.read(self._file, _BUFFER):
                found |= self._files(data)
        return found

    def _files(self, data: bytes) -> set[Path]:
        found = set()
        place = 0
        while place < len(data):
            number, mask, _, length = _EVENT.unpack_from(data, place)
            name = data[place + _EVENT.size : place + _EVENT.size + length].rstrip(b"\0")
            place += _EVENT.size + length
            directory = self._directories.get(number)
            if directory is not None and mask & _MODIFY:
                found.add(directory / os.fsdecode(name))
        return found

    def close(self) -> None:
        os.close(self._file)
