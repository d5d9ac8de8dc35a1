"""Kinds of values that many declarations share, with what the published schema says of them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from agenttower.domain.permissions import Role

Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""An instant as RFC 3339 in UTC: microseconds and ``+00:00``, or milliseconds and ``Z``."""

Uuid = Annotated[str, Meta(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
ContainerId = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
AgentId = Annotated[str, Meta(pattern="^agt_[0-9a-f]{12}$")]
AttachmentId = Annotated[str, Meta(pattern="^lat_[0-9a-f]{12}$")]
TmuxPaneId = Annotated[str, Meta(pattern="^%[0-9]+$")]
Count = Annotated[int, Meta(ge=0)]

Limit = Annotated[int, Meta(ge=1, le=200, description="entries on a page")]
RowNumber = Annotated[int, Meta(ge=0, le=2**63 - 1)]
WaitSeconds = Annotated[float, Meta(ge=0, le=25, description="how long to wait for news")]
Text = Annotated[str, Meta(min_length=1)]

RoleName = Annotated[str, Meta(extra_json_schema={"enum": [role.value for role in Role]})]
"""A role in a request: another string is refused as a value, not as a type."""
SchemaVersion = Annotated[int, Meta(description="the schema that the client was built for")]
"""Optional everywhere: a daemon whose schema is newer refuses."""


class ScanDetail(msgspec.Struct, frozen=True):
    """Something that went wrong about one container."""

    container_id: str
    error_code: str
    error_message: str
