"""Doing each kind of fault, and undoing it."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from docker.models.containers import Container

from tests.support.freezer import frozen
from tests.support.layouts import our_panes, tmux
from tests.torture.keeper import Keeper
from tests.torture.schedule import KINDS, Fault
from tests.torture.small_disk import SmallDisk
from tests.torture.tally import Tally


@dataclass
class TorturedBench:
    """A bench; ``disturbed`` is held while it cannot be looked into."""

    container: Container
    image: str
    disturbed: threading.Lock = field(default_factory=threading.Lock)


class Faults:
    """Does what a schedule says; one thread per lane."""

    def __init__(
        self,
        keeper: Keeper,
        benches: list[TorturedBench],
        database: Path,
        disk: SmallDisk | None,
        tally: Tally,
    ) -> None:
        self._keeper = keeper
        self._benches = benches
        self._database = database
        self._disk = disk
        self._tally = tally

    def run(self, lane: list[Fault]) -> None:
        """Do the faults of a lane, each when it is due, until told to stop."""
        for fault in lane:
            if self._tally.stop.wait(max(0.0, fault.at - self._tally.now)):
                return
            self._tally.note(str(fault).lstrip())
            try:
                getattr(self, f"_{fault.kind}")(fault)
            except Exception as error:
                self._tally.complain([f"{fault.kind} could not be done: {error!r}"])
                raise
            self._tally.faults[fault.kind] += 1
            self._tally.note(f"{fault.kind} is over")

    # --- processes -------------------------------------------------------------------------------

    def _kill_worker(self, fault: Fault) -> None:
        self._keeper.kill("worker")

    def _kill_serve(self, fault: Fault) -> None:
        self._keeper.kill("serve")

    def _kill_both(self, fault: Fault) -> None:
        self._keeper.kill("serve", "worker")

    def _terminate_worker(self, fault: Fault) -> None:
        self._keeper.terminate("worker")

    def _terminate_serve(self, fault: Fault) -> None:
        self._keeper.terminate("serve")

    def _hold_worker(self, fault: Fault) -> None:
        self._keeper.hold("worker", fault.lasts)

    def _hold_serve(self, fault: Fault) -> None:
        self._keeper.hold("serve", fault.lasts)

    # --- storage ---------------------------------------------------------------------------------

    def _lock_database(self, fault: Fault) -> None:
        with (
            self._tally.storage_trouble(),
            closing(sqlite3.connect(self._database, timeout=30, isolation_level=None)) as database,
        ):
            database.execute("BEGIN EXCLUSIVE")
            self._tally.stop.wait(fault.lasts)
            database.execute("ROLLBACK")

    def _fill_disk(self, fault: Fault) -> None:
        assert self._disk is not None
        with self._tally.storage_trouble(), self._disk.full():
            self._tally.stop.wait(fault.lasts)

    # --- containers ------------------------------------------------------------------------------

    def _stop_container(self, fault: Fault) -> None:
        bench = self._hit(fault)
        with bench.disturbed:
            bench.container.kill()
            self._tally.stop.wait(fault.lasts)
            bench.container.start()

    def _restart_container(self, fault: Fault) -> None:
        bench = self._hit(fault)
        with bench.disturbed:
            bench.container.restart(timeout=0)

    def _freeze_container(self, fault: Fault) -> None:
        bench = self._hit(fault)
        with bench.disturbed, frozen(bench.container):
            self._tally.stop.wait(fault.lasts)

    def _kill_tmux_server(self, fault: Fault) -> None:
        bench = self._hit(fault)
        with bench.disturbed:
            tmux(bench.container, "kill-server")

    def _kill_pane(self, fault: Fault) -> None:
        bench = self._hit(fault)
        with bench.disturbed:
            panes = sorted(our_panes(bench.container), key=lambda pane: pane["token"])
            if panes:
                victim = panes[int(fault.pick * 1000) % len(panes)]
                tmux(bench.container, "kill-pane", "-t", victim["pane_id"])

    def _hit(self, fault: Fault) -> TorturedBench:
        return self._benches[int(fault.pick * len(self._benches))]


def possible(disk: SmallDisk | None) -> list[str]:
    """The kinds of faults that can be done here."""
    return [kind for kind in KINDS if disk is not None or kind != "fill_disk"]
