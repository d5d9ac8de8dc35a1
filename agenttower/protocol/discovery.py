"""``scan_*``, ``list_containers`` and ``list_panes`` (legacy surfaces part 1, sections 6, 7)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from agenttower.protocol.declaration import Declaration, Gate, NoParams
from agenttower.protocol.values import (
    AgentId,
    ContainerId,
    Count,
    ScanDetail,
    Time,
    TmuxPaneId,
    Uuid,
)

Filter = Literal["all", "active_only"]
ScanStatus = Literal["ok", "degraded"]


class ListContainers(msgspec.Struct, frozen=True):
    """``list_containers``."""

    active_only: Annotated[bool, Meta(description="only those that run")] = False


class ScanPanes(msgspec.Struct, frozen=True):
    """``scan_panes``."""

    container: Annotated[str | None, Meta(description="only this one: id or name")] = None


class ListFoundPanes(msgspec.Struct, frozen=True):
    """``list_panes``."""

    active_only: Annotated[bool, Meta(description="only panes that the last scan saw")] = False
    container: Annotated[str | None, Meta(description="only of this one: full id or name")] = None


class ContainerScan(msgspec.Struct, frozen=True):
    """What a scan for containers came to."""

    scan_id: Uuid
    started_at: Time
    completed_at: Time
    status: ScanStatus
    matched_count: Count
    inactive_reconciled_count: Count
    ignored_count: Count
    error_code: str | None
    error_message: str | None
    error_details: list[ScanDetail]


class Mount(msgspec.Struct, frozen=True):
    """A mount of a container."""

    source: str
    target: str
    type: str
    mode: str
    rw: bool


class Container(msgspec.Struct, frozen=True):
    """A container as the last scan or event left it (section 6.4)."""

    id: ContainerId
    name: str
    image: str
    status: str
    labels: dict[str, str]
    mounts: list[Mount]
    active: bool
    first_seen_at: Time
    last_scanned_at: Time
    config_user: str | None
    working_dir: str | None
    provider: Annotated[Literal["docker", "local"], Meta(description="additive")]


class Containers(msgspec.Struct, frozen=True):
    """Active ones first, then the most recently scanned."""

    filter: Filter
    containers: list[Container]
    caller_container_id: Annotated[
        str | None, Meta(description="which one the caller is in; null on the host; additive")
    ]


class Cut(msgspec.Struct, frozen=True):
    """A text that was longer than is kept."""

    tmux_pane_id: str
    field: str
    original_len: Count


class PaneScanDetail(ScanDetail, frozen=True):
    """Something that went wrong about a container, or one of its sockets."""

    tmux_socket_path: Annotated[
        str | UnsetType, Meta(description="left out where it is about the container")
    ] = UNSET
    pane_truncations: Annotated[
        list[Cut] | UnsetType, Meta(description="left out where nothing was cut")
    ] = UNSET


class PaneScan(msgspec.Struct, frozen=True):
    """What a scan for panes came to."""

    scan_id: Uuid
    started_at: Time
    completed_at: Time
    status: ScanStatus
    containers_scanned: Count
    sockets_scanned: Count
    panes_seen: Count
    panes_newly_active: Count
    panes_reconciled_to_inactive: Count
    containers_skipped_inactive: Count
    containers_tmux_unavailable: Count
    error_code: str | None
    error_message: str | None
    error_details: list[PaneScanDetail]


class FoundPane(msgspec.Struct, frozen=True):
    """A pane that a scan has seen, whoever made it (section 7.5)."""

    container_id: ContainerId
    tmux_socket_path: str
    tmux_session_name: str
    tmux_window_index: int
    tmux_pane_index: int
    tmux_pane_id: TmuxPaneId
    container_name: str
    container_user: str
    pane_pid: int
    pane_tty: str
    pane_current_command: str
    pane_current_path: str
    pane_title: str
    pane_active: Annotated[bool, Meta(description="tmux has its focus there")]
    active: Annotated[bool, Meta(description="the last scan saw it")]
    first_seen_at: Time
    last_scanned_at: Time
    agent_id: Annotated[AgentId | None, Meta(description="who lives in it; additive")]
    origin: Annotated[Literal["managed", "adopted"] | None, Meta(description="additive")]
    managed_pane_id: Annotated[Uuid | None, Meta(description="additive")]


class FoundPanes(msgspec.Struct, frozen=True):
    """Active ones first, then by container, socket, session, window and pane."""

    filter: Filter
    container_filter: str | None
    panes: list[FoundPane]


SCAN_CONTAINERS = Declaration(
    name="scan_containers",
    summary="Look for benches now.",
    gate=Gate.HOST,
    params=NoParams,
    result=ContainerScan,
    errors=(
        "config_invalid",
        "docker_unavailable",
        "docker_permission_denied",
        "docker_timeout",
        "docker_failed",
        "docker_malformed",
    ),
)
LIST_CONTAINERS = Declaration(
    name="list_containers",
    summary="Benches as last seen.",
    gate=Gate.KNOWN,
    params=ListContainers,
    result=Containers,
)
SCAN_PANES = Declaration(
    name="scan_panes",
    summary="Look for tmux panes now.",
    gate=Gate.KNOWN,
    params=ScanPanes,
    result=PaneScan,
    errors=("docker_unavailable",),
)
LIST_PANES = Declaration(
    name="list_panes",
    summary="Every pane as last seen, whoever made it.",
    gate=Gate.KNOWN,
    params=ListFoundPanes,
    result=FoundPanes,
)
