"""``app.scan.*``: scans that nobody has to wait for, each with a record (app surface, 12).

A scan belongs to the daemon: it goes on when whoever asked for it has gone, and its record is lost
when the daemon ends. Who asks for a kind that is under way joins it.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from agenttower.clock import Clock, Micros
from agenttower.errors import AgentTowerError, ValidationFailed
from agenttower.protocol.app.scans import ScanFailed, ScanKind, ScanProblem, ScanState
from agenttower.services.background import Background

log = logging.getLogger(__name__)

KEPT = 100
"""So many records stay; one that is running always does."""
IN_FLIGHT = 4

Run = Callable[[str], msgspec.Struct]
"""Makes a scan of this id, and returns its result."""


@dataclass(frozen=True, slots=True)
class ScanRecord:
    """A scan, as far as it has come; ``result`` is ready for JSON."""

    scan_id: str
    kind: ScanKind
    started_at: Micros
    state: ScanState = "running"
    completed_at: Micros | None = None
    result: dict[str, Any] | None = None


class Scans:
    """The records of all scans of this daemon. Safe for use by several threads."""

    def __init__(
        self,
        runs: Mapping[ScanKind, Run],
        background: Background,
        clock: Clock,
        wake_waiting: Callable[[], None],
        *,
        in_flight: int = IN_FLIGHT,
    ) -> None:
        """:param wake_waiting: called when a scan has ended.
        :param in_flight: so many may run at once, over all kinds.
        """
        self._runs = runs
        self._background = background
        self._clock = clock
        self._wake_waiting = wake_waiting
        self._in_flight = in_flight
        self._lock = threading.Lock()
        self._records: dict[str, ScanRecord] = {}
        self._running: dict[ScanKind, str] = {}

    def begin(self, kind: ScanKind) -> ScanRecord:
        """The scan of this kind that is under way, or a new one.

        :raises ValidationFailed: too many are under way, or the daemon is stopping.
        """
        with self._lock:
            if kind in self._running:
                return self._records[self._running[kind]]
            if len(self._running) >= self._in_flight:
                raise ValidationFailed("scan_kind", "too_many_scans_in_flight")
            record = ScanRecord(uuid.uuid4().hex, kind, self._clock())
            started = self._background.start(f"scan-{kind}", lambda: self._run(record))
            if not started:
                raise ValidationFailed("scan_kind", "the daemon is stopping")
            self._records[record.scan_id] = record
            self._running[kind] = record.scan_id
            self._forget_old()
            return record

    def show(self, scan_id: str) -> ScanRecord | None:
        """The record of this id; ``None`` where there is none, or none any more."""
        with self._lock:
            return self._records.get(scan_id)

    def _run(self, record: ScanRecord) -> None:
        """In a thread of its own; waits at first for whoever has just begun it."""
        state, result = self._outcome(record)
        ended = replace(record, state=state, completed_at=self._clock(), result=result)
        with self._lock:
            self._records[record.scan_id] = ended
            del self._running[record.kind]
        self._wake_waiting()

    def _outcome(self, record: ScanRecord) -> tuple[ScanState, dict[str, Any]]:
        try:
            found = self._runs[record.kind](record.scan_id)
            return "completed", msgspec.to_builtins(found)
        except AgentTowerError as error:
            log.warning("scan failed: %s", error.message, extra={"action": "scan_failed"})
            problem = ScanProblem(error.code, error.message)
        except Exception:
            log.exception("scan failed", extra={"action": "scan_failed"})
            problem = ScanProblem("internal_error", "unexpected; see the daemon's log")
        return "failed", msgspec.to_builtins(ScanFailed(record.scan_id, problem))

    def _forget_old(self) -> None:
        ended = [one for one in self._records.values() if one.state != "running"]
        for record in ended[: max(0, len(self._records) - KEPT)]:
            del self._records[record.scan_id]
