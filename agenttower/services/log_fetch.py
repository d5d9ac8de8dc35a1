"""Copies logs that no mount shows us: from the bench's file, through the engine, into the host's.

The row says that ``fetched`` bytes had been copied when the host's file had ``fetched_size`` bytes.
What the file has beyond that was copied by somebody who died before he could say so; so the next
byte to copy is known at every instant, and none is lost or copied twice.
"""

from __future__ import annotations

import os
from pathlib import Path

from agenttower.bench import logplaces, visibility
from agenttower.bench.interface import Bench, Deadline
from agenttower.crashpoints import crash_point
from agenttower.paths import Paths
from agenttower.services.turns import Turns
from agenttower.store import agent_logs, log_attaching
from agenttower.store.agent_logs import AttachmentRecord
from agenttower.store.database import Store

CHUNK = 1024 * 1024
FREE_AFTER = 4 * CHUNK
"""How much a bench's file may hold that is copied already, before its room is given back."""


class LogFetch:
    """Copies, one copier at a log at any time.

    :param turns: shared by all copiers of the process.
    """

    def __init__(self, store: Store, paths: Paths, turns: Turns) -> None:
        self._store = store
        self._paths = paths
        self._turns = turns
        self._freed: dict[str, int] = {}

    def drain(self, bench: Bench, attachment_id: str, deadline: Deadline) -> int:
        """Copy until nothing new is there; returns how many bytes came.

        :raises BenchError: the bench could not be asked; what was copied is noted.
        :raises OSError: the host's file cannot be written.
        """
        total = 0
        while True:
            copied = self.once(bench, attachment_id, deadline)
            total += copied
            if copied < CHUNK:
                return total

    def once(self, bench: Bench, attachment_id: str, deadline: Deadline) -> int:
        """Copy one piece; returns how many bytes it had."""
        with self._turns.at(attachment_id):
            log = agent_logs.by_id(attachment_id)
            if log is None or log.via != "exec" or log.bench_path is None:
                return 0
            path = Path(log.log_path)
            root = logplaces.root_of(path, self._paths.logs_dir)
            with visibility.opened(path, root, os.O_WRONLY | os.O_APPEND) as file:
                return self._copy(bench, log, log.bench_path, file, deadline)

    def _copy(
        self, bench: Bench, log: AttachmentRecord, bench_path: str, file: int, deadline: Deadline
    ) -> int:
        size = os.fstat(file).st_size
        # A file that has shrunk was rotated by somebody: what it had is not to come again.
        start = log.fetched + max(size - log.fetched_size, 0)
        there = bench.file_size(bench_path, deadline)
        if there is None:
            return 0
        if there < start:
            start = 0  # another file, e.g. since the container was made anew
            self._freed.pop(log.attachment_id, None)
        data = bench.read_file(bench_path, start, CHUNK, deadline) if there > start else b""
        if not data and (start, size) == (log.fetched, log.fetched_size):
            return 0
        # What follows is counted from here, also where the last one who copied could not say so.
        self._note(log, start, size)
        _write_all(file, data)
        crash_point("log_fetch.appended")
        self._note(log, start + len(data), size + len(data))
        self._give_back(bench, log, bench_path, start + len(data), deadline)
        return len(data)

    def _note(self, log: AttachmentRecord, fetched: int, size: int) -> None:
        if (fetched, size) == (log.fetched, log.fetched_size):
            return
        with self._store.transaction():
            log_attaching.note_fetched(log.attachment_id, fetched, size)

    def _give_back(
        self, bench: Bench, log: AttachmentRecord, bench_path: str, upto: int, deadline: Deadline
    ) -> None:
        if upto - self._freed.get(log.attachment_id, 0) >= FREE_AFTER:
            bench.free_file(bench_path, upto, deadline)
            self._freed[log.attachment_id] = upto


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
