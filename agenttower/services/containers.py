"""Finding benches: explicit scans, what they store, and what the engine's events tell."""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from agenttower.bench.interface import BenchEvent, BenchInfo, BenchScan
from agenttower.bench.registry import Benches
from agenttower.clock import Clock, Micros, to_rfc3339
from agenttower.errors import AgentTowerError, BenchError, ConfigInvalid
from agenttower.paths import Paths
from agenttower.settings import load_config
from agenttower.store import containers
from agenttower.store.containers import ContainerRecord, Seen
from agenttower.store.database import Store

log = logging.getLogger(__name__)

GONE = {"die": "exited", "destroy": "removed", "pause": "paused"}
"""Engine events after which nothing can be done in a container, and the status they leave."""


class ContainerService:
    """``scan_containers`` and ``list_containers``, and the engine's event stream."""

    def __init__(
        self,
        store: Store,
        benches: Benches,
        paths: Paths,
        clock: Clock,
        wake_readers: Callable[[], None],
    ) -> None:
        self._store = store
        self._benches = benches
        self._paths = paths
        self._clock = clock
        self._wake_readers = wake_readers
        self._one_scan = threading.Lock()

    def resolve(self, ref: str) -> str | None:
        """The full id of a known container by id, short id or name."""
        record = containers.by_ref(ref)
        return None if record is None else record.id

    def listing(self, *, active_only: bool, scope: str | None) -> dict[str, Any]:
        """Stored containers (legacy section 6.4); asks no engine."""
        records = containers.listing(active_only=active_only, only_id=scope)
        return {
            "filter": "active_only" if active_only else "all",
            "containers": [container_view(record) for record in records],
        }

    def scan(self, scan_id: str | None = None) -> dict[str, Any]:
        """Run discovery and store the outcome (legacy section 6.3). One scan at a time.

        :param scan_id: what its row is called; ``None`` for a new uuid.
        :raises ConfigInvalid: the name rule cannot be read; scope is never widened.
        :raises DockerUnavailable: or a subclass: no provider could be asked.
        """
        scan_id = scan_id or str(uuid.uuid4())
        with self._one_scan:
            started = self._clock()
            log.info("container scan started", extra={"action": "scan_started"})
            try:
                rules = load_config(self._paths.config_file).containers
                found, failures = self._ask(rules.name_contains)
            except AgentTowerError as error:
                self._record_failure(scan_id, started, error)
                raise
            return self._store_scan(scan_id, started, found, failures)

    def _ask(
        self, name_contains: tuple[str, ...]
    ) -> tuple[dict[str, BenchScan], list[AgentTowerError]]:
        found: dict[str, BenchScan] = {}
        failures: list[AgentTowerError] = []
        for provider in self._benches.providers:
            try:
                found[provider.name] = provider.scan(name_contains)
            except AgentTowerError as error:
                failures.append(error)
        if not found:
            raise failures[0] if failures else ConfigInvalid("no bench provider is configured")
        return found, failures

    def _store_scan(
        self,
        scan_id: str,
        started: Micros,
        found: Mapping[str, BenchScan],
        failures: list[AgentTowerError],
    ) -> dict[str, Any]:
        benches = [bench for scan in found.values() for bench in scan.benches]
        failed = [failure for scan in found.values() for failure in scan.failures]
        details = [
            {"container_id": item.bench_id, "error_code": item.code, "error_message": item.message}
            for item in failed
        ] + [
            {"container_id": "", "error_code": error.code, "error_message": error.message}
            for error in failures
        ]
        now = self._clock()
        row: dict[str, Any] = {
            "scan_id": scan_id,
            "started_at": started,
            "completed_at": now,
            "status": "degraded" if details else "ok",
            "matched_count": len(benches) + len(failed),
            "ignored_count": sum(scan.ignored for scan in found.values()),
            "error_code": details[0]["error_code"] if details else None,
            "error_message": details[0]["error_message"] if details else None,
        }
        with self._store.transaction() as transaction:
            row["inactive_reconciled_count"] = containers.reconcile(
                [seen(bench) for bench in benches],
                [failure.bench_id for failure in failed],
                list(found),
                now,
            )
            containers.record_scan({**row, "error_details": json.dumps(details)})
            if details:
                self._audit_degraded(row, details, now)
                transaction.afterwards("readers", self._wake_readers)
            transaction.afterwards(
                "log",
                lambda: log.info(
                    "container scan completed: %s",
                    row["status"],
                    extra={"action": "scan_completed"},
                ),
            )
        return {
            **row,
            "started_at": to_rfc3339(started),
            "completed_at": to_rfc3339(now),
            "error_details": details,
        }

    def _record_failure(self, scan_id: str, started: Micros, error: AgentTowerError) -> None:
        now = self._clock()
        row = {
            "scan_id": scan_id,
            "error_code": error.code,
            "error_message": error.message,
        }
        with self._store.transaction() as transaction:
            transaction.afterwards("readers", self._wake_readers)
            containers.record_scan(
                {
                    **row,
                    "started_at": started,
                    "completed_at": now,
                    "status": "failed",
                    "matched_count": 0,
                    "inactive_reconciled_count": 0,
                    "ignored_count": 0,
                    "error_details": "[]",
                }
            )
            self._audit_degraded(row, [], now)

    def _audit_degraded(
        self, row: Mapping[str, Any], details: list[dict[str, str]], now: Micros
    ) -> None:
        keys = ("scan_id", "error_code", "error_message")
        payload = {**{key: row[key] for key in keys}, "error_details": details}
        containers.append_audit("container_scan_degraded", payload, now)

    def heed(self, event: BenchEvent) -> None:
        """Take note of what an engine told: a stopped container is known at once.

        Anything that may bring a container into scope leads to a scan.

        :raises DatabaseBusy: it could not be written down; to be heeded again.
        """
        known = containers.by_ref(event.bench_id) if event.bench_id else None
        if event.bench_id and known is None and not self._is_in_scope(event.name):
            return
        if event.kind in GONE:
            self._benches.drop(event.bench_id)
            with self._store.transaction() as transaction:
                containers.set_status(event.bench_id, GONE[event.kind], active=False)
                transaction.afterwards("readers", self._wake_readers)
            log.info("container %s: %s", event.name, event.kind, extra={"action": "bench_event"})
            return
        try:
            self.scan()
        except (BenchError, ConfigInvalid) as error:
            log.warning("scan failed: %s", error.message, extra={"action": "scan_failed"})

    def _is_in_scope(self, name: str) -> bool:
        try:
            rules = load_config(self._paths.config_file).containers
        except ConfigInvalid:
            return False
        return any(fragment.lower() in name.lower() for fragment in rules.name_contains)


def seen(bench: BenchInfo) -> Seen:
    """A bench as its row keeps it."""
    return Seen(
        id=bench.bench_id,
        name=bench.name,
        provider=bench.provider,
        image=bench.image,
        status=bench.status,
        started_at=bench.started_at,
        labels=json.dumps(dict(bench.labels)),
        mounts=json.dumps([asdict(mount) for mount in bench.mounts]),
        env_names=json.dumps(list(bench.env_names)),
        config_user=bench.user,
        working_dir=bench.working_dir,
        has_init=bench.has_init,
    )


def container_view(record: ContainerRecord) -> dict[str, Any]:
    """A container as legacy section 6.4 shows it; ``provider`` is additive."""
    return {
        "id": record.id,
        "name": record.name,
        "image": record.image,
        "status": record.status,
        "labels": record.labels,
        "mounts": record.mounts,
        "active": record.active,
        "first_seen_at": to_rfc3339(record.first_seen_at),
        "last_scanned_at": to_rfc3339(record.last_scanned_at),
        "config_user": record.config_user,
        "working_dir": record.working_dir,
        "provider": record.provider,
    }
