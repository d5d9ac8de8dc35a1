"""The closed set of ``app.*`` error codes, each with what its ``details`` hold (section 6).

A code whose details are :class:`Empty` has ``{}``; every other one has at least the keys that are
required here.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType


class Empty(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No details."""


class Unsupported(msgspec.Struct, frozen=True):
    daemon_app_contract_version: str
    client_app_contract_major: int


class Reason(msgspec.Struct, frozen=True):
    reason: str


class Invalid(msgspec.Struct, frozen=True):
    field: str
    reason: str


class OfAgent(msgspec.Struct, frozen=True):
    agent_id: str


class OfPane(msgspec.Struct, frozen=True):
    pane_id: str
    mismatch_field: str | UnsetType = UNSET


class OfRoute(msgspec.Struct, frozen=True):
    route_id: str


class OfMessage(msgspec.Struct, frozen=True):
    message_id: str


class OfScan(msgspec.Struct, frozen=True):
    scan_id: str


class OfContainer(msgspec.Struct, frozen=True):
    container_id: str


class Blocked(msgspec.Struct, frozen=True):
    agent_id: str
    reason: str


class Denied(msgspec.Struct, frozen=True):
    reason: Literal["feat009_permission_gate"] | UnsetType = UNSET


class TooLarge(msgspec.Struct, frozen=True):
    size_limit_bytes: int
    actual_size_bytes: int


class Internal(msgspec.Struct, frozen=True):
    reason: str | UnsetType = UNSET


ERRORS: dict[str, type[msgspec.Struct]] = {
    "app_session_required": Empty,
    "app_session_expired": Empty,
    "app_contract_major_unsupported": Unsupported,
    "unknown_method": Empty,
    "malformed_request": Reason,
    "validation_failed": Invalid,
    "not_found": Empty,
    "stale_object": Empty,
    "pane_already_registered": OfAgent,
    "pane_not_found": OfPane,
    "agent_not_found": OfAgent,
    "route_not_found": OfRoute,
    "queue_message_not_found": OfMessage,
    "scan_timeout": OfScan,
    "scan_not_found": OfScan,
    "daemon_unavailable": Empty,
    "socket_missing": Empty,
    "socket_permission_denied": Empty,
    "docker_unavailable": Empty,
    "tmux_unavailable": Empty,
    "container_inactive": OfContainer,
    "log_attach_blocked": Blocked,
    "routing_disabled": Empty,
    "permission_denied": Denied,
    "host_only": Empty,
    "payload_too_large": TooLarge,
    "internal_error": Internal,
}
"""The 27 codes of section 6. ``app.managed_*`` adds those of managed.md section 4."""

COMMON = (
    "malformed_request",
    "payload_too_large",
    "permission_denied",
    "host_only",
    "app_session_required",
    "app_session_expired",
    "internal_error",
)
"""What every method may answer with (end of section 6)."""
