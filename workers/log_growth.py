"""Which logs grow, as the kernel tells it, instead of looking all the time."""

from __future__ import annotations

import contextlib
import logging
import os
import select
from collections.abc import Collection
from pathlib import Path

from inotify_simple import INotify, flags

from agenttower.engine.doorbell import Listener

log = logging.getLogger(__name__)

_CHANGES = flags.MODIFY | flags.CREATE | flags.DELETE | flags.MOVED_FROM | flags.MOVED_TO
_GONE = flags.IGNORED | flags.MOVE_SELF | flags.DELETE_SELF
_MASK = _CHANGES | flags.DELETE_SELF | flags.MOVE_SELF | flags.ONLYDIR | flags.DONT_FOLLOW


class LogGrowth:
    """Hears of every change to the files of some directories. For one thread.

    It may miss changes: a directory that cannot be watched, a file system that tells nothing, a
    queue that ran over. Whoever waits here looks by himself from time to time.
    """

    def __init__(self) -> None:
        self._inotify = INotify(nonblocking=True)
        self._watched: dict[Path, int] = {}
        self._refused: set[Path] = set()

    def fileno(self) -> int:
        """For a selector: readable when something has changed."""
        return int(self._inotify.fileno())

    def follow(self, directories: Collection[Path]) -> None:
        """Hear of these directories, and of no others any more."""
        wanted = set(directories)
        for gone in self._watched.keys() - wanted:
            self._drop(gone)
        self._refused &= wanted
        for directory in wanted - self._watched.keys():
            try:
                self._watched[directory] = self._inotify.add_watch(directory, _MASK)
            except OSError as error:
                if directory not in self._refused:
                    self._refused.add(directory)
                    log.warning(
                        "the directory %s cannot be watched and is looked at instead: %s",
                        directory,
                        error.strerror,
                        extra={"action": "log_growth"},
                    )

    def wait(self, bell: Listener, timeout_s: float) -> bool:
        """Wait for a change, or for the bell; ``False`` where the time ran out first."""
        ready, _, _ = select.select([self.fileno(), bell.fileno()], [], [], timeout_s)
        if bell.fileno() in ready:
            bell.wait(0)
        return bool(ready)

    def grown(self) -> set[Path]:
        """The files that were changed since the last call; does not wait. A directory that has gone
        must be followed anew."""
        events = self._inotify.read(timeout=0)
        names = {number: directory for directory, number in self._watched.items()}
        for number in {event.wd for event in events if event.mask & _GONE} & names.keys():
            self._drop(names[number])
        return {names[e.wd] / e.name for e in events if e.name and e.wd in names}

    def _drop(self, directory: Path) -> None:
        with contextlib.suppress(OSError):  # the kernel has dropped it already
            self._inotify.rm_watch(self._watched.pop(directory))

    def close(self) -> None:
        """Hear of nothing any more."""
        self._inotify.close()


def directories_of(paths: Collection[str]) -> set[Path]:
    """The directories that these files are in."""
    return {Path(os.path.dirname(path)) for path in paths}
