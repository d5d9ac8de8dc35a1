"""Being told by the kernel that a log has grown, instead of looking all the time."""

from __future__ import annotations

import contextlib
import logging
import os
import select
from collections.abc import Collection

from inotify_simple import INotify, flags

from agenttower.engine.doorbell import Listener

log = logging.getLogger(__name__)

_CHANGES = flags.MODIFY | flags.CREATE | flags.DELETE | flags.MOVED_FROM | flags.MOVED_TO
_MASK = _CHANGES | flags.DELETE_SELF | flags.MOVE_SELF | flags.ONLYDIR | flags.DONT_FOLLOW


class LogWatch:
    """Watches the directories that logs are in.

    It may miss changes: a directory that cannot be watched, a file system that tells nothing, a
    queue that ran over. Whoever waits here looks by himself from time to time.
    """

    def __init__(self) -> None:
        self._inotify = INotify(nonblocking=True)
        self._watched: dict[str, int] = {}
        self._refused: set[str] = set()

    def watch(self, directories: Collection[str]) -> None:
        """Watch these directories and no others."""
        for gone in self._watched.keys() - directories:
            self._drop(gone)
        self._refused &= set(directories)
        for directory in directories - self._watched.keys():
            try:
                self._watched[directory] = self._inotify.add_watch(directory, _MASK)
            except OSError as error:
                if directory not in self._refused:
                    self._refused.add(directory)
                    log.warning(
                        "the directory %s cannot be watched and is looked at instead: %s",
                        directory,
                        error.strerror,
                        extra={"action": "log_watch"},
                    )

    def wait(self, bell: Listener, timeout_s: float) -> bool:
        """Wait for a change, or for the bell; ``False`` where the time ran out first."""
        ready, _, _ = select.select([self._inotify.fileno(), bell.fileno()], [], [], timeout_s)
        if bell.fileno() in ready:
            bell.wait(0)
        return bool(ready)

    def drain(self) -> None:
        """Take what has been told; a directory that is not there any more must be watched anew."""
        gone = flags.IGNORED | flags.MOVE_SELF | flags.DELETE_SELF
        lost = {event.wd for event in self._inotify.read(timeout=0) if event.mask & gone}
        for directory in [name for name, wd in self._watched.items() if wd in lost]:
            self._drop(directory)

    def _drop(self, directory: str) -> None:
        with contextlib.suppress(OSError):  # the kernel has dropped it already
            self._inotify.rm_watch(self._watched.pop(directory))

    def close(self) -> None:
        """Watch nothing any more."""
        self._inotify.close()


def directories_of(paths: Collection[str]) -> set[str]:
    """The directories that these files are in."""
    return {os.path.dirname(path) for path in paths}
