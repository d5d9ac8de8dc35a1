"""The whole picture: ``status`` (legacy surfaces part 1, section 5.2; part 2, section 13).

The base and the four blocks are the contract's; the rest is additive and for the host. Every number
is a question to an index, so that a long history costs nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agenttower import __version__
from agenttower.clock import (
    SECOND,
    Clock,
    Micros,
    to_millis_or_none,
    to_rfc3339,
    to_rfc3339_or_none,
)
from agenttower.engine import presence
from agenttower.paths import Paths
from agenttower.services.attention import attention_status
from agenttower.services.routing import SUBSYSTEM, braked_until
from agenttower.services.switch import ENABLED, RoutingSwitch
from agenttower.services.troubles import Facts, relay_is_late, troubles
from agenttower.settings import RoutingRules
from agenttower.store import layouts, ledger, overview, routes, subsystems
from agenttower.store.database import Store
from agenttower.store.migrate import schema_version
from agenttower.store.overview import Backlog
from agenttower.store.routes import RouteRecord

READERS = ("events_reader", "events_reader_exec")
RELAY = "events_relay"
SHOWN = 50
"""So many of the routes that lag are listed."""


@dataclass(frozen=True, slots=True)
class Lagging:
    """A route with events behind its cursor."""

    route: RouteRecord
    lag: int
    braked_until: Micros | None


class StatusService:
    """Reads what ``status`` shows."""

    def __init__(
        self,
        store: Store,
        paths: Paths,
        switch: RoutingSwitch,
        rules: RoutingRules,
        clock: Clock,
        file_problems: Callable[[], list[str]],
    ) -> None:
        self._store = store
        self._paths = paths
        self._switch = switch
        self._rules = rules
        self._clock = clock
        self._file_problems = file_problems
        self._started_at, self._started = clock(), time.monotonic()
        self._schema_version = schema_version(store)

    def status(self, *, whole: bool) -> dict[str, Any]:
        """The answer.

        :param whole: for the host: everything. Others get base and blocks, and in these no agent
            and no route by name.
        """
        with self._store.snapshot():
            now = self._clock()
            worker = presence.living_worker(now)
            backlog = overview.backlog()
            readers = _readers(worker is not None)
            lagging = self._lagging(now) if whole else []
            said = subsystems.read(SUBSYSTEM)
            routing = {} if said is None else said[0]
            shown = {
                **self._base(now, worker),
                "events_reader": _events_reader(readers, whole=whole),
                "events_persistence": _events_persistence(readers, backlog, now, whole=whole),
                "routing": self._routing(routing, lagging, backlog, now),
                "queue_audit": _queue_audit(backlog, now),
            }
            if not whole:
                return shown
            return shown | self._whole(now, worker is not None, backlog, readers, routing, lagging)

    def _base(self, now: Micros, worker: presence.WorkerRecord | None) -> dict[str, Any]:
        return {
            "alive": True,
            "pid": os.getpid(),
            "start_time_utc": to_rfc3339(self._started_at),
            "uptime_seconds": max(0, int(time.monotonic() - self._started)),
            "socket_path": str(self._paths.socket),
            "state_path": str(self._paths.state_dir),
            "schema_version": self._schema_version,
            "daemon_version": __version__,
            "worker": {
                "alive": worker is not None,
                "pid": None if worker is None else worker.process.pid,
                "heartbeat_at": None if worker is None else to_rfc3339(worker.heartbeat_at),
            },
        }

    def _lagging(self, now: Micros) -> list[Lagging]:
        """Enabled routes with events that wait for them, the one with most of them first."""
        found = [
            Lagging(route, lag, braked_until(route.route_id, self._rules, now))
            for route in routes.with_work()
            if (lag := routes.lag(route))
        ]
        return sorted(found, key=lambda lagging: -lagging.lag)

    def _routing(
        self, said: dict[str, Any], lagging: list[Lagging], backlog: Backlog, now: Micros
    ) -> dict[str, Any]:
        total, enabled = routes.counts()
        most = lagging[0] if lagging else None
        return {
            **self._switch.status(),
            "routes_total": total,
            "routes_enabled": enabled,
            "routes_disabled": total - enabled,
            "last_routing_cycle_at": to_millis_or_none(said.get("last_cycle_at")),
            "events_consumed_total": said.get("events_consumed", 0),
            "skips_by_reason": said.get("skips_by_reason", {}),
            "most_stalled_route": most and {"route_id": most.route.route_id, "lag": most.lag},
            "routing_worker_degraded": said.get("degraded_since") is not None,
            "degraded_routing_audit_persistence": relay_is_late(now, backlog.oldest_route_line_at),
            "last_heartbeat_at": to_millis_or_none(overview.last_heartbeat()),
        }

    def _whole(
        self,
        now: Micros,
        worker_alive: bool,
        backlog: Backlog,
        readers: list[dict[str, Any]],
        routing: dict[str, Any],
        lagging: list[Lagging],
    ) -> dict[str, Any]:
        benches = overview.benches()
        queue = overview.queue_depth()
        switch = self._switch.status()
        problems = self._file_problems()
        facts = Facts(
            now=now,
            worker_alive=worker_alive,
            worker_heard_at=overview.newest_worker_beat(),
            container_scan=overview.last_scan("container_scan"),
            pane_scan=overview.last_scan("pane_scan"),
            benches=benches,
            backlog=backlog,
            queue=queue,
            routing_enabled=switch["value"] == ENABLED,
            switched_at=self._switch.switched_at(),
            switched_by=switch["last_updated_by"],
            routing_trouble=routing.get("trouble"),
            routing_degraded_since=routing.get("degraded_since"),
            braked={x.route.route_id: x.braked_until for x in lagging if x.braked_until},
            unread_logs=_failing(readers),
            unwritten_logs=len(_buffered(readers)),
            file_problems=problems,
        )
        return {
            "benches": {
                "active": sum(bench.active for bench in benches),
                "inactive": overview.inactive_benches(),
                "items": [
                    {
                        "container_id": bench.container_id,
                        "name": bench.name,
                        "status": bench.status,
                        "active": bench.active,
                        "agents": bench.agents,
                        "layouts": bench.layouts,
                        "last_scanned_at": to_rfc3339(bench.last_scanned_at),
                    }
                    for bench in benches
                ],
            },
            "layouts": layouts.counts_by_state(),
            "steps": ledger.open_steps(),
            "attention": attention_status(),
            "queue": {
                "queued": queue.queued,
                "in_flight": queue.in_flight,
                "blocked": sum(queue.blocked.values()),
                "blocked_by_reason": queue.blocked,
                "oldest_queued_at": to_millis_or_none(queue.oldest_queued_at),
                "oldest_queued_seconds": _seconds_since(queue.oldest_queued_at, now),
            },
            "lagging_routes": [
                {
                    "route_id": one.route.route_id,
                    "event_type": one.route.event_type,
                    "lag": one.lag,
                    "braked_until": to_millis_or_none(one.braked_until),
                }
                for one in lagging[:SHOWN]
            ],
            "file_problems": problems,
            "degraded": [trouble.view for trouble in troubles(facts)],
        }


def _readers(worker_alive: bool) -> list[dict[str, Any]]:
    """What the log readers last said; one that died with its worker does not run."""
    found = [said[0] for name in READERS if (said := subsystems.read(name)) is not None]
    return [document | {"running": worker_alive and document["running"]} for document in found]


def _events_reader(readers: list[dict[str, Any]], *, whole: bool) -> dict[str, Any]:
    first = readers[0] if readers else {}
    return {
        "running": bool(first.get("running", False)),
        "last_cycle_started_at": first.get("last_cycle_started_at"),
        "last_cycle_duration_ms": first.get("last_cycle_duration_ms"),
        "active_attachments": sum(reader["active_attachments"] for reader in readers),
        "attachments_in_failure": _failing(readers) if whole else [],
        "lag_bytes": sum(reader.get("lag_bytes", 0) for reader in readers),
    }


def _failing(readers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [log for reader in readers for log in reader["attachments_in_failure"]]


def _buffered(readers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    waiting = [reader["degraded_sqlite"] for reader in readers if reader.get("degraded_sqlite")]
    return [log for one in waiting for log in one["buffered_attachments"]]


def _events_persistence(
    readers: list[dict[str, Any]], backlog: Backlog, now: Micros, *, whole: bool
) -> dict[str, Any]:
    waiting = [reader["degraded_sqlite"] for reader in readers if reader.get("degraded_sqlite")]
    failing = _relay_failure()
    late = relay_is_late(now, backlog.oldest_at)
    return {
        "degraded_sqlite": None
        if not waiting
        else {
            "since": min(one["since"] for one in waiting),
            "buffered_attachments": _buffered(readers) if whole else [],
        },
        "degraded_jsonl": None
        if not (late or failing)
        else {
            "since": failing.get("since") or to_rfc3339_or_none(backlog.oldest_at),
            "pending_event_count": backlog.pending,
            "last_error_class": _relay_error(),
        },
    }


def _queue_audit(backlog: Backlog, now: Micros) -> dict[str, Any]:
    degraded = relay_is_late(now, backlog.oldest_queue_line_at)
    return {
        "degraded": degraded,
        "pending_rows": backlog.queue_lines,
        "last_failure_exc_class": _relay_error() if degraded else None,
    }


def _relay_failure() -> dict[str, Any]:
    """What the relay says of a file that it cannot write; empty where it can."""
    said = subsystems.read(RELAY)
    return {} if said is None else said[0]["degraded_jsonl"] or {}


def _relay_error() -> str:
    """Why the file is behind, as the relay said it; else nobody relays."""
    return str(_relay_failure().get("last_error_class") or "WorkerUnavailable")


def _seconds_since(moment: Micros | None, now: Micros) -> int | None:
    return None if moment is None else max(0, now - moment) // SECOND
