"""What a scan found, as ``app.*`` tells it (app surface, section 12.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from agenttower.protocol.app.scans import (
    ContainerFault,
    ContainerScanResult,
    FoundContainer,
    PaneFault,
    PaneScanResult,
    ScannedContainer,
    ScannedServer,
)
from agenttower.services.discovery import Outcome
from agenttower.services.sightings import Look
from agenttower.store.containers import ContainerRecord


def containers_result(
    row: Mapping[str, Any], found: Iterable[ContainerRecord]
) -> ContainerScanResult:
    """The result of a scan for containers.

    :param row: as ``scan_containers`` shows it.
    :param found: the containers that are there now.
    """
    faults = [
        ContainerFault(fault["container_id"], fault["error_code"], fault["error_message"])
        for fault in row["error_details"]
    ]
    roster = [FoundContainer(one.id, one.name, one.image, one.status) for one in found]
    return msgspec.convert(
        {**row, "error_details": faults, "containers": sorted(roster, key=lambda one: one.name)},
        ContainerScanResult,
    )


def panes_result(outcome: Outcome, names: Mapping[str, str]) -> PaneScanResult:
    """The result of a scan for panes.

    :param names: the containers' names, by id.
    """
    row = dict(outcome.row)
    row["panes_reconciled_inactive"] = row.pop("panes_reconciled_to_inactive")
    return msgspec.convert(
        {
            **row,
            "error_details": [msgspec.convert(fault, PaneFault) for fault in row["error_details"]],
            "containers": [_scanned(look, names) for look in outcome.looks],
        },
        PaneScanResult,
    )


def _scanned(look: Look, names: Mapping[str, str]) -> ScannedContainer:
    found = look.discovery
    whole = next((fault for fault in look.failures if fault.socket_path is None), None)
    faults = {fault.socket_path: fault for fault in look.failures if fault.socket_path}
    panes = [] if found is None else [pane.socket_path for pane in found.panes]
    servers = [
        ScannedServer(
            tmux_socket=path,
            panes_seen=panes.count(path),
            error_code=faults[path].code if path in faults else None,
            error_message=faults[path].message if path in faults else None,
        )
        for path in sorted({*(() if found is None else found.listed), *faults})
    ]
    return ScannedContainer(
        container_id=look.container_id,
        name=names.get(look.container_id, ""),
        panes_seen=len(panes),
        error_code=None if whole is None else whole.code,
        error_message=None if whole is None else whole.message,
        servers=servers,
    )
