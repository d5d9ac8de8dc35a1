"""What a control panel asks for first, and the threads behind it: readiness, dashboard, scans."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agenttower.bench.registry import Benches
from agenttower.clock import Clock
from agenttower.paths import Paths
from agenttower.protocol.app.scans import ContainerScanResult, PaneScanResult
from agenttower.services.background import Background
from agenttower.services.containers import ContainerService
from agenttower.services.dashboard import DashboardService
from agenttower.services.discovery import PaneDiscovery
from agenttower.services.engine_probe import EngineProbe
from agenttower.services.readiness import ReadinessService
from agenttower.services.scan_results import containers_result, panes_result
from agenttower.services.scans import Scans
from agenttower.services.switch import RoutingSwitch
from agenttower.store import containers as rows
from agenttower.store.database import Store


class Overview:
    """The three services, over one set of parts. Close it."""

    def __init__(
        self,
        store: Store,
        benches: Benches,
        paths: Paths,
        switch: RoutingSwitch,
        clock: Clock,
        wake_waiting: Callable[[], None],
        *,
        containers: ContainerService,
        discovery: PaneDiscovery,
        readers: Sequence[str],
    ) -> None:
        """:param wake_waiting: runs the requests again that wait for an engine or a scan.
        :param readers: the names of the readers of logs that the worker runs.
        """

        def scan_containers(scan_id: str) -> ContainerScanResult:
            row = containers.scan(scan_id)
            return containers_result(row, rows.listing(active_only=True))

        def scan_panes(scan_id: str) -> PaneScanResult:
            outcome = discovery.scan_all(scan_id)
            return panes_result(
                outcome, {one.id: one.name for one in rows.listing(active_only=False)}
            )

        def wake() -> None:
            if not self._background.closed:
                wake_waiting()

        self._background = Background(store.close_thread)
        self._probe = EngineProbe(benches, self._background, wake)
        self.readiness = ReadinessService(store, paths, self._probe, switch, clock, readers)
        self.dashboard = DashboardService(self.readiness, clock)
        self.scans = Scans(
            {"containers": scan_containers, "panes": scan_panes},
            self._background,
            clock,
            wake,
        )

    def warm_up(self) -> None:
        """Ask the engine for the first time, which takes longer than any later time."""
        self._probe.begin()

    def close(self) -> None:
        """Let what runs come to its end, for a moment; see :class:`Background`."""
        self._background.close()
