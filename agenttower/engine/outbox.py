"""Events are rows first; the relay appends them to ``events.jsonl``, each once and in order.

The rows are written in the transaction of the change they tell of (FR-015). The relay appends,
syncs, and then stores how far it came; after a crash in between, the file's tail decides.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from pathlib import Path
from typing import Any

from agenttower.clock import Clock, Micros, now, to_rfc3339
from agenttower.crashpoints import crash_point
from agenttower.domain import attribution
from agenttower.errors import StateRefused
from agenttower.private import open_private_file
from agenttower.store.agent_events import event_object
from agenttower.store.database import Store
from agenttower.store.models import Event, RelayPosition

log = logging.getLogger(__name__)

BATCH = 500


def view(row: Event) -> dict[str, Any]:
    """A managed event as the wire and the file show it (managed.md section 6)."""
    return {
        "event_id": row.id,
        "timestamp": to_rfc3339(row.created_at),
        "event_type": row.event_type,
        "origin": "managed",
        "actor": row.actor,
        "container_id": row.container_id,
        "layout_id": row.layout_id,
        "pane_id": row.pane_id,
        "sequence": row.sequence,
        "payload": json.loads(row.payload),
    }


def audit_view(row: Event) -> dict[str, Any]:
    """An audit line of the file; ``event_id`` is ours, by which the relay finds its place.

    Who asked stands beside the payload, where the flat lines of the queue and of routes have it.
    """
    payload = json.loads(row.payload)
    asked = {key: payload.pop(key) for key in attribution.KEYS if key in payload}
    return {
        "ts": to_rfc3339(row.created_at),
        "type": row.event_type,
        **asked,
        "payload": payload,
        "event_id": row.id,
    }


def line_of(row: Event, moment: Micros) -> dict[str, Any]:
    """What the file shows of a row.

    Lines of ``queue`` and ``route`` are as their writers made them; they may name other events, so
    that their own place in the outbox stands last, as ``row``.

    :param moment: when the line is written.
    """
    match row.kind:
        case "managed":
            return view(row)
        case "agent":
            return {"ts": to_rfc3339(moment), **event_object(row)}
        case "queue" | "route":
            return {"ts": to_rfc3339(moment), **json.loads(row.payload), "row": row.id}
        case _:
            return audit_view(row)


def row_of(line: bytes) -> int:
    """Which row a line of the file shows.

    :raises ValueError: it is not a line of ours.
    """
    shown = json.loads(line)
    if not isinstance(shown, dict):
        raise ValueError("no object")
    # A line about a route names the event that it was about, so that its own row comes first.
    number = shown.get("row", shown.get("event_id"))
    if not isinstance(number, int):
        raise ValueError("no row")
    return number


class Relay:
    """Appends the outbox to one file. One relay at a time: it holds a lock on the file."""

    def __init__(self, store: Store, path: Path, clock: Clock = now) -> None:
        """Open the file and find out where the last relay stopped.

        :raises StateRefused: the file is not a private regular file, or another relay has it.
        """
        self._store = store
        self._path = path
        self._clock = clock
        self._file = open_private_file(path)
        try:
            self._lock()
            self._last_event_id, self._offset = self._recover()
        except BaseException:
            os.close(self._file)
            raise

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StateRefused(
                f"{self._path} is being written by another worker; stop that one first"
            ) from error

    def _recover(self) -> tuple[int, int]:
        """Believe the file behind the stored offset; cut off a line that was not finished."""
        row = RelayPosition.get_or_none(RelayPosition.id == 1)
        last_event_id, offset = (row.last_event_id, row.file_offset) if row else (0, 0)
        size = os.fstat(self._file).st_size
        if offset > size:  # the file was rotated or emptied by somebody
            offset = 0
        tail = os.pread(self._file, size - offset, offset)
        complete = tail.rfind(b"\n") + 1
        for line in tail[:complete].splitlines():
            try:
                last_event_id = max(last_event_id, row_of(line))
            except (ValueError, RecursionError):
                log.warning("foreign line in events.jsonl", extra={"action": "relay_foreign"})
        os.ftruncate(self._file, offset + complete)
        return last_event_id, offset + complete

    def run_once(self) -> int:
        """Append what has been committed since; returns how many events."""
        relayed = 0
        while True:
            rows = list(
                Event.select().where(Event.id > self._last_event_id).order_by(Event.id).limit(BATCH)
            )
            if not rows:
                return relayed
            moment = self._clock()
            self._append("".join(_as_json(line_of(row, moment)) for row in rows).encode())
            self._last_event_id = rows[-1].id
            crash_point("relay.appended")
            self._remember()
            relayed += len(rows)

    def _append(self, data: bytes) -> None:
        # Somebody may have emptied the file meanwhile, as log rotation does.
        self._offset = min(self._offset, os.fstat(self._file).st_size)
        try:
            view = memoryview(data)
            while view:
                view = view[os.pwrite(self._file, view, self._offset + len(data) - len(view)) :]
            os.fsync(self._file)
        except OSError:
            # A half-written batch must not stay: the next try starts at the same place.
            os.ftruncate(self._file, self._offset)
            raise
        self._offset += len(data)

    def _remember(self) -> None:
        with self._store.transaction():
            self._store.execute(
                "INSERT INTO relay_position (id, last_event_id, file_offset) VALUES (1, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET last_event_id = excluded.last_event_id,"
                " file_offset = excluded.file_offset",
                (self._last_event_id, self._offset),
            )

    def close(self) -> None:
        """Close the file and with it the lock."""
        os.close(self._file)


def _as_json(shown: dict[str, Any]) -> str:
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":")) + "\n"
