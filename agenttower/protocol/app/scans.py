"""``app.scan.*`` (app surface, section 12)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from agenttower.protocol.app.entities import Iso, Ms
from agenttower.protocol.declaration import Declaration, Gate

ScanKind = Literal["containers", "panes"]
ScanState = Literal["running", "completed", "failed"]


class ScanParams(msgspec.Struct, frozen=True):
    wait: bool = True


class ScanStatusParams(msgspec.Struct, frozen=True):
    scan_id: Annotated[str, msgspec.Meta(min_length=1)]


class FoundContainer(msgspec.Struct, frozen=True):
    """A container that is in scope and runs."""

    container_id: str
    name: str
    image: str
    status: str


class ContainerFault(msgspec.Struct, frozen=True):
    container_id: str
    """Empty where a whole engine could not be asked."""
    code: str
    message: str


class ContainerScanResult(msgspec.Struct, frozen=True):
    """What ``app.scan.containers`` found; ``containers`` is the roster."""

    scan_id: str
    started_at: Iso
    completed_at: Iso
    status: Literal["ok", "degraded"]
    matched_count: int
    inactive_reconciled_count: int
    ignored_count: int
    error_code: str | None
    error_message: str | None
    error_details: list[ContainerFault]
    containers: list[FoundContainer]


class ScannedServer(msgspec.Struct, frozen=True):
    """One tmux server of a container; ``error_code`` is null where it answered."""

    tmux_socket: str
    panes_seen: int
    error_code: str | None
    error_message: str | None


class ScannedContainer(msgspec.Struct, frozen=True):
    """``error_code`` is about the container as a whole: nothing in it could be asked."""

    container_id: str
    name: str
    panes_seen: int
    error_code: str | None
    error_message: str | None
    servers: list[ScannedServer]


class PaneTruncation(msgspec.Struct, frozen=True):
    tmux_pane_id: str
    field: str
    original_len: int


class PaneFault(msgspec.Struct, frozen=True):
    container_id: str
    error_code: str
    error_message: str
    tmux_socket_path: str | None = None
    pane_truncations: list[PaneTruncation] = []


class PaneScanResult(msgspec.Struct, frozen=True):
    """What ``app.scan.panes`` found; ``containers`` is the breakdown."""

    scan_id: str
    started_at: Iso
    completed_at: Iso
    status: Literal["ok", "degraded"]
    containers_scanned: int
    sockets_scanned: int
    panes_seen: int
    panes_newly_active: int
    panes_reconciled_inactive: int
    containers_skipped_inactive: int
    containers_tmux_unavailable: int
    error_code: str | None
    error_message: str | None
    error_details: list[PaneFault]
    containers: list[ScannedContainer]


class ScanProblem(msgspec.Struct, frozen=True):
    code: str
    message: str


class ScanFailed(msgspec.Struct, frozen=True):
    """The result of a scan whose state is ``failed``."""

    scan_id: str
    error: ScanProblem


class Scan(msgspec.Struct, frozen=True):
    """``result`` is left out while the scan is running.

    It is a ``ContainerScanResult`` or a ``PaneScanResult`` where the scan is completed, and a
    ``ScanFailed`` where it failed.
    """

    scan_id: str
    state: ScanState
    result: dict[str, Any] | UnsetType = UNSET


class ScanStatus(msgspec.Struct, frozen=True):
    """``completed_at`` and ``result`` are null exactly while the scan is running."""

    state: ScanState
    scan_kind: ScanKind
    started_at: Ms
    completed_at: Ms | None
    result: dict[str, Any] | None


SCAN_CONTAINERS = Declaration(
    name="app.scan.containers",
    summary="Look for bench containers now, or join the look that is under way.",
    gate=Gate.HOST,
    params=ScanParams,
    result=Scan,
    errors=("validation_failed", "scan_timeout"),
    session=True,
)
SCAN_PANES = Declaration(
    name="app.scan.panes",
    summary="Look for tmux panes in all active containers, or join the look that is under way.",
    gate=Gate.HOST,
    params=ScanParams,
    result=Scan,
    errors=("validation_failed", "scan_timeout"),
    session=True,
)
SCAN_STATUS = Declaration(
    name="app.scan.status",
    summary="What a scan is at, or what it found.",
    gate=Gate.HOST,
    params=ScanStatusParams,
    result=ScanStatus,
    errors=("validation_failed", "scan_not_found"),
    session=True,
)
