"""``app.preflight`` and ``app.hello`` (app surface, section 9)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from agenttower.protocol.declaration import Declaration, Gate, NoParams


class Preflight(msgspec.Struct, frozen=True):
    socket_reachable: bool
    daemon_reachable: bool
    code: Literal["ok", "daemon_unavailable", "socket_missing", "socket_permission_denied"]


class Hello(msgspec.Struct, frozen=True):
    client_id: Annotated[str, msgspec.Meta(max_length=128)] = ""
    client_version: Annotated[str, msgspec.Meta(max_length=64)] = ""
    client_app_contract_major: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)] = 1


class MinorRange(msgspec.Struct, frozen=True):
    min: str
    max: str


class Welcome(msgspec.Struct, frozen=True):
    app_session_token: Annotated[str, msgspec.Meta(min_length=36, max_length=36)]
    app_session_id: Annotated[int, msgspec.Meta(ge=1)]
    daemon_version: str
    schema_version: int
    app_contract_version: str
    supported_minor_range: MinorRange
    host_user_id: str
    capability_flags: dict[str, bool]
    state: Literal["ok"] = "ok"


PREFLIGHT = Declaration(
    name="app.preflight",
    summary="Is the daemon there? Cheap, and without a session.",
    gate=Gate.HOST,
    params=NoParams,
    result=Preflight,
)
HELLO = Declaration(
    name="app.hello",
    summary="Agree on the contract's version and open an app session.",
    gate=Gate.HOST,
    params=Hello,
    result=Welcome,
    errors=("app_contract_major_unsupported", "validation_failed"),
)
