"""``scan_panes`` and ``list_panes`` (legacy surfaces part 1, section 7)."""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from agenttower.bench.interface import SocketFailure
from agenttower.bench.registry import Benches
from agenttower.clock import Clock, Micros, to_rfc3339
from agenttower.crashpoints import crash_point
from agenttower.errors import (
    AgentTowerError,
    BadRequest,
    BenchTimeout,
    DockerPermissionDenied,
    DockerTimeout,
    DockerUnavailable,
    TmuxUnavailable,
)
from agenttower.services.caller import Caller
from agenttower.services.scan_details import scan_details
from agenttower.services.sightings import Counts, Look, Sightings
from agenttower.store import containers, panes
from agenttower.store.containers import ContainerRecord
from agenttower.store.database import Store
from agenttower.store.panes import PaneRecord

log = logging.getLogger(__name__)

CONTAINER_SECONDS = 12.0
"""How long the look at one container may take; each process in it has 5 s."""

REFRESH_WAIT_S = 20.0
"""How long a refresh waits for its turn."""

SCAN_WAIT_S = 120.0
"""How long a scan that nobody's request waits for does."""

THREADS = 8
"""So many containers are looked at side by side."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A scan's row as ``scan_panes`` shows it, and each container as it was found."""

    row: dict[str, Any]
    looks: Sequence[Look]


class PaneDiscovery:
    """Finds the panes of the bench users' tmux servers, ours and others. It changes none."""

    def __init__(
        self, store: Store, benches: Benches, clock: Clock, wake_readers: Callable[[], None]
    ) -> None:
        self._store = store
        self._benches = benches
        self._clock = clock
        self._wake_readers = wake_readers
        self._one_scan = threading.Lock()
        self._somebody_waits = False

    def listing(
        self, caller: Caller, *, active_only: bool, container: str | None
    ) -> dict[str, Any]:
        """Stored panes (section 7.5); a bench client sees those of its own container."""
        records = panes.listing(active_only=active_only, container=container, only_id=caller.scope)
        return {
            "filter": "active_only" if active_only else "all",
            "container_filter": container,
            "panes": [pane_view(record) for record in records],
        }

    def scan(self, caller: Caller, container: str | None) -> dict[str, Any] | None:
        """Look at all containers, or one, and store what was found. One scan at a time.

        :param container: id or name; a bench client's own where it gives none.
        :return: ``None`` while another scan is under way: readers are woken when it has ended. Who
            waited here would hold a thread, of which bench clients could take all.
        :raises HostOnly: a bench client asks for another container.
        :raises BadRequest: no such container is known.
        :raises DockerUnavailable: the engine could not be asked about any container.
        """
        wanted = None if container is None else containers.by_ref(container.removeprefix("/"))
        if container is not None:
            caller.require_container(None if wanted is None else wanted.id)
            if wanted is None:
                raise BadRequest(
                    f"container {container[:80]!r} is not known; see 'agenttower container list', "
                    "or run 'agenttower scan'"
                )
        only_id = caller.scope if wanted is None else wanted.id
        self._somebody_waits = True  # before the try, so that whoever has the turn sees it
        if not self._one_scan.acquire(blocking=False):
            return None
        return self._scan_in_turn(only_id).row

    def scan_all(self, scan_id: str) -> Outcome:
        """Look at all containers, whoever scans now; for threads that may wait.

        :param scan_id: what the scan's row is called.
        :raises BenchTimeout: other scans did not end in time.
        :raises DockerUnavailable: the engine could not be asked about any container.
        """
        self._take_turn(SCAN_WAIT_S)
        return self._scan_in_turn(None, scan_id)

    def refresh(self, container_id: str) -> None:
        """Bring the panes of one container up to date; what fails is in the scan's row.

        :raises BenchTimeout: other scans did not end in time.
        """
        self._take_turn(REFRESH_WAIT_S)
        self._scan_in_turn(container_id)

    def _take_turn(self, patience_s: float) -> None:
        if not self._one_scan.acquire(timeout=patience_s):
            raise BenchTimeout("other scans for panes are under way; try again")

    def _scan_in_turn(self, only_id: str | None, scan_id: str | None = None) -> Outcome:
        """The scan of whoever has the turn, which ends with it."""
        self._somebody_waits = False
        try:
            return self._scan(only_id, scan_id or str(uuid.uuid4()))
        finally:
            self._one_scan.release()
            if self._somebody_waits:
                self._wake_readers()

    def _scan(self, only_id: str | None, scan_id: str) -> Outcome:
        started = self._clock()
        log.info("pane scan started", extra={"action": "pane_scan_started"})
        known = containers.listing(active_only=False, only_id=only_id)
        looks = self._look_at_all(sorted(one.id for one in known if one.active))
        unavailable = _engine_failure(looks)
        if unavailable is not None:
            asked = [look.container_id for look, _ in looks]
            self._store_failure(scan_id, started, unavailable, asked)
            raise unavailable
        found = [look for look, _ in looks]
        return Outcome(self._store_scan(scan_id, started, found, known), found)

    # --- looking ---------------------------------------------------------------------------------

    def _look_at_all(
        self, container_ids: Sequence[str]
    ) -> list[tuple[Look, AgentTowerError | None]]:
        """What was found in each container, by id, and what kept the look from being made."""
        if not container_ids:
            return []
        with ThreadPoolExecutor(min(THREADS, len(container_ids)), "pane-scan") as pool:
            return list(pool.map(self._look, container_ids))

    def _look(self, container_id: str) -> tuple[Look, AgentTowerError | None]:
        try:
            bench = self._benches.get(container_id)
            found = bench.discover_panes(time.monotonic() + CONTAINER_SECONDS)
            return Look(container_id, found, found.failures), None
        except AgentTowerError as error:
            failure = SocketFailure(None, _code(error), error.message)
            return Look(container_id, None, [failure]), error
        except Exception:
            log.exception("the look at container %s failed", container_id[:12])
            failure = SocketFailure(None, "internal_error", "unexpected; see the daemon's log")
            return Look(container_id, None, [failure]), None

    # --- writing ---------------------------------------------------------------------------------

    def _store_scan(
        self,
        scan_id: str,
        started: Micros,
        looks: Sequence[Look],
        known: Sequence[ContainerRecord],
    ) -> dict[str, Any]:
        now = self._clock()
        sightings = Sightings(started, now)
        with self._store.transaction() as transaction:
            transaction.afterwards("crash", lambda: crash_point("pane_scan.committed"))
            sightings.reconcile(looks, [one.id for one in known if not one.active])
            details = scan_details(looks, sightings.cuts)
            status = "degraded" if details else "ok"
            row = _row(scan_id, started, now, status, sightings.counts, details)
            self._record(row, details)
            transaction.afterwards("readers", self._wake_readers)
            crash_point("pane_scan.committing")
        log.info(
            "pane scan completed: %s, %d panes",
            row["status"],
            sightings.counts.panes_seen,
            extra={"action": "pane_scan_completed"},
        )
        return row | {
            "started_at": to_rfc3339(started),
            "completed_at": to_rfc3339(now),
            "error_details": details,
        }

    def _store_failure(
        self,
        scan_id: str,
        started: Micros,
        error: AgentTowerError,
        container_ids: Sequence[str],
    ) -> None:
        now = self._clock()
        first = [{"error_code": error.code, "error_message": error.message}]
        row = _row(scan_id, started, now, "failed", Counts(), first)
        with self._store.transaction() as transaction:
            self._record(row, [])
            for container_id in container_ids:
                containers.panes_looked_at(container_id, error.code, now)
            transaction.afterwards("readers", self._wake_readers)

    def _record(self, row: dict[str, Any], details: list[dict[str, Any]]) -> None:
        """The scan's own row and, where something is wrong, its line in the events file."""
        stored = dict(row)
        stored["panes_reconciled_inactive"] = stored.pop("panes_reconciled_to_inactive")
        panes.record_scan(stored | {"error_details": json.dumps(details)})
        if row["status"] != "ok":
            keys = ("scan_id", "error_code", "error_message")
            payload = {key: row[key] for key in keys} | {"error_details": details}
            containers.append_audit("pane_scan_degraded", payload, row["completed_at"])


def pane_view(record: PaneRecord) -> dict[str, Any]:
    """A pane as section 7.5 shows it; who lives in it is additive."""
    return {
        **asdict(record.key),
        "container_name": record.container_name,
        "container_user": record.container_user,
        "pane_pid": record.pane_pid,
        "pane_tty": record.pane_tty,
        "pane_current_command": record.pane_current_command,
        "pane_current_path": record.pane_current_path,
        "pane_title": record.pane_title,
        "pane_active": record.pane_active,
        "active": record.active,
        "first_seen_at": to_rfc3339(record.first_seen_at),
        "last_scanned_at": to_rfc3339(record.last_scanned_at),
        "agent_id": record.agent_id,
        "origin": "managed" if record.managed_pane_id else record.origin,
        "managed_pane_id": record.managed_pane_id,
    }


def _row(
    scan_id: str,
    started: Micros,
    now: Micros,
    status: str,
    counts: Counts,
    details: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "scan_id": scan_id,
        "started_at": started,
        "completed_at": now,
        "status": status,
        **asdict(counts),
        "error_code": details[0]["error_code"] if details else None,
        "error_message": details[0]["error_message"] if details else None,
    }


def _engine_failure(looks: Sequence[tuple[Look, AgentTowerError | None]]) -> AgentTowerError | None:
    """The engine's own failure, where it is why nothing could be looked at.

    An engine that answers, or is slow about one container, is not unavailable.
    """
    failures = [error for _, error in looks]
    away = [
        error for error in failures if type(error) in (DockerUnavailable, DockerPermissionDenied)
    ]
    if failures and len(away) == len(failures) and away[0] is not None:
        return DockerUnavailable(away[0].message)
    return None


def _code(error: AgentTowerError) -> str:
    """The scan's word for why a container could not be looked at (section 7.2)."""
    if isinstance(error, BenchTimeout | DockerTimeout):
        return "docker_exec_timeout"
    return error.code if isinstance(error, TmuxUnavailable) else "docker_exec_failed"
