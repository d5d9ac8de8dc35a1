"""``app.readiness``: the present state at every call, and nothing is changed (app surface, 10)."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Sequence

from agenttower.clock import Clock
from agenttower.domain.hints import Stock, hints
from agenttower.domain.readiness import (
    Health,
    Subsystem,
    SubsystemHealth,
    in_order,
    overall,
    unwell,
)
from agenttower.engine import presence
from agenttower.paths import Paths
from agenttower.protocol.app.readiness import HintRow, Readiness, SubsystemRow
from agenttower.services.engine_probe import EngineProbe
from agenttower.services.routing import SUBSYSTEM as ROUTING
from agenttower.services.status import RELAY
from agenttower.services.subsystem_health import Facts, Said, judged
from agenttower.services.switch import ENABLED, RoutingSwitch
from agenttower.store import app_counts, discovery_health, health, overview, routes, subsystems
from agenttower.store.database import Store

log = logging.getLogger(__name__)

WRITER_S = 0.2
"""How long another writer may have the database."""


class ReadinessService:
    """Asks every subsystem anew."""

    def __init__(
        self,
        store: Store,
        paths: Paths,
        probe: EngineProbe,
        switch: RoutingSwitch,
        clock: Clock,
        readers: Sequence[str],
    ) -> None:
        """:param readers: the names of the readers of logs that the worker runs."""
        self._store = store
        self._paths = paths
        self._probe = probe
        self._switch = switch
        self._clock = clock
        self._readers = readers

    def readiness(self, asked_at: float, *, final: bool) -> Readiness | None:
        """The answer of ``app.readiness``; the arguments and ``None`` are those of :meth:`rows`."""
        rows = self.rows(asked_at, final=final)
        if rows is None:
            return None
        return Readiness(
            state=overall(rows),
            subsystems=[SubsystemRow(row.name, row.status, row.reason, row.hint) for row in rows],
            hints=hint_rows(self._stock(rows)),
        )

    def rows(self, asked_at: float, *, final: bool) -> tuple[SubsystemHealth, ...] | None:
        """The six rows.

        :param asked_at: when the request came, ``time.monotonic()`` seconds.
        :param final: an engine that has not answered yet is unavailable.
        :return: ``None`` while the engine thinks: see :meth:`EngineProbe.ask`.
        """
        docker = self._probe.ask(asked_at, final=final)
        if docker is None:
            return None
        try:
            facts = self._facts()
        except Exception as error:
            log.warning("readiness cannot read the database: %s", error)
            return in_order([docker, *_unread(error)])
        return in_order(judged(docker, facts))

    def _facts(self) -> Facts:
        can_write = health.can_write(self._paths.database, WRITER_S)
        with self._store.snapshot():
            now = self._clock()
            worker = presence.living_worker(now)
            return Facts(
                now=now,
                worker=worker,
                can_write=can_write,
                backlog=overview.backlog(),
                relay=_said(RELAY),
                events_file_problem=self._events_file_problem(),
                routing=_said(ROUTING),
                routing_enabled=self._switch.status()["value"] == ENABLED,
                readers=[_said(name) for name in self._readers],
                looked_into=discovery_health.looked_into(),
                pane_scan=discovery_health.last_pane_scan(),
            )

    def _events_file_problem(self) -> str | None:
        try:
            found = os.stat(self._paths.events_file, follow_symlinks=False)
        except FileNotFoundError:
            return "events.jsonl is gone; the worker writes to a file that nobody can see"
        except OSError as error:
            return f"events.jsonl cannot be looked at ({type(error).__name__})"
        if not stat.S_ISREG(found.st_mode):
            return "events.jsonl is not a plain file"
        if not os.access(self._paths.events_file, os.W_OK):
            return "events.jsonl may not be written by this user"
        return None

    def _stock(self, rows: Sequence[SubsystemHealth]) -> Stock:
        """What hints are given by. They ask for panes and agents whether there are any."""
        docker = next(row.status for row in rows if row.name is Subsystem.DOCKER)
        try:
            containers = app_counts.containers()
            return Stock(
                docker=docker,
                running_containers=sum(containers[state] for state in app_counts.RUNNING),
                panes=app_counts.some_panes(),
                agents=app_counts.some_agents(),
                active_logs=app_counts.attachments()[0],
                enabled_routes=routes.counts()[1],
            )
        except Exception:
            # What is not known is no reason to tell somebody to make a first one.
            return Stock(docker, 1, 0, 1, 1, 1)


def hint_rows(stock: Stock) -> list[HintRow]:
    """The hints that apply, as both methods show them."""
    return [HintRow(hint.code, hint.severity, hint.message) for hint in hints(stock)]


def _said(name: str) -> Said | None:
    found = subsystems.read(name)
    return None if found is None else Said(*found)


def _unread(error: Exception) -> list[SubsystemHealth]:
    """All that is told by the database, while it cannot be read."""
    unread = f"the database cannot be read ({type(error).__name__})"
    return [
        unwell(
            name,
            Health.UNAVAILABLE,
            unread if name is Subsystem.SQLITE else f"it is not known: {unread}",
            "see the daemon's log, and 'agenttower db check'",
        )
        for name in Subsystem
        if name is not Subsystem.DOCKER
    ]
