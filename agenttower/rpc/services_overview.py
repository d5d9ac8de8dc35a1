"""What ``app.readiness``, ``app.dashboard`` and ``app.scan.*`` need of the services."""

from __future__ import annotations

from typing import Protocol

from agenttower.protocol.app.dashboard import Dashboard
from agenttower.protocol.app.readiness import Readiness
from agenttower.protocol.app.scans import ScanKind
from agenttower.services.scans import ScanRecord


class ReadinessServices(Protocol):
    """See :class:`agenttower.services.readiness.ReadinessService`."""

    def readiness(self, asked_at: float, *, final: bool) -> Readiness | None: ...


class DashboardServices(Protocol):
    """See :class:`agenttower.services.dashboard.DashboardService`."""

    def dashboard(self, recent_limit: int, asked_at: float, *, final: bool) -> Dashboard | None: ...


class ScanServices(Protocol):
    """See :class:`agenttower.services.scans.Scans`."""

    def begin(self, kind: ScanKind) -> ScanRecord: ...

    def show(self, scan_id: str) -> ScanRecord | None: ...


class OverviewServices(Protocol):
    """Part of :class:`agenttower.rpc.services.Services`."""

    @property
    def readiness(self) -> ReadinessServices: ...

    @property
    def dashboard(self) -> DashboardServices: ...

    @property
    def scans(self) -> ScanServices: ...
