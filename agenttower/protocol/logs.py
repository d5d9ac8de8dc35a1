"""``attach_log*``, ``detach_log`` and ``logs.read`` (legacy surfaces part 1, section 9)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from agenttower.protocol.declaration import Declaration, Gate
from agenttower.protocol.values import (
    AgentId,
    AttachmentId,
    Count,
    RowNumber,
    SchemaVersion,
    Time,
    WaitSeconds,
)

State = Literal["active", "stale", "detached", "superseded"]
Source = Annotated[
    Literal["explicit", "register_self", "managed"], Meta(description="`managed` is additive")
]
Via = Annotated[Literal["pipe", "exec"], Meta(description="how the host gets the text; additive")]


# --- parameters ----------------------------------------------------------------------------------


class AttachLog(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``attach_log``."""

    agent_id: str
    log_path: Annotated[
        str | None, Meta(description="the file as the bench sees it; else the usual place")
    ] = None
    schema_version: SchemaVersion | UnsetType = UNSET


class DetachLog(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``detach_log``."""

    agent_id: str
    schema_version: SchemaVersion | UnsetType = UNSET


class LogStatus(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``attach_log_status``."""

    agent_id: str
    schema_version: SchemaVersion | UnsetType = UNSET


class LogPreview(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``attach_log_preview``."""

    agent_id: str
    lines: Annotated[int, Meta(extra_json_schema={"minimum": 1, "maximum": 200})]
    schema_version: SchemaVersion | UnsetType = UNSET


class ReadLog(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``logs.read``, additive."""

    agent_id: str
    lines: Annotated[int, Meta(ge=1, le=2000, description="at most so many")] = 200
    offset: Annotated[
        RowNumber | None, Meta(description="the byte to begin with; else the last lines")
    ] = None
    file: Annotated[str | None, Meta(description="`file` of the answer that `offset` is from")] = (
        None
    )
    wait_seconds: WaitSeconds = 0.0
    schema_version: SchemaVersion | UnsetType = UNSET


# --- results -------------------------------------------------------------------------------------


class Attached(msgspec.Struct, frozen=True):
    """``attach_log`` (section 9.5)."""

    agent_id: AgentId
    attachment_id: AttachmentId
    log_path: str
    source: Source
    status: State
    byte_offset: Count
    line_offset: Count
    attached_at: Time
    last_status_at: Time
    is_new: bool
    prior_status: Annotated[State | None, Meta(description="additive")]
    via: Via


class Detached(msgspec.Struct, frozen=True):
    """``detach_log`` (section 9.6)."""

    agent_id: AgentId
    attachment_id: AttachmentId
    log_path: str
    status: State
    byte_offset: Count
    line_offset: Count
    last_status_at: Time


class Attachment(msgspec.Struct, frozen=True):
    """Where an agent's log is."""

    attachment_id: AttachmentId
    log_path: str
    status: State
    source: Source
    attached_at: Time
    last_status_at: Time
    superseded_at: Time | None
    superseded_by: AttachmentId | None
    via: Via


class Offset(msgspec.Struct, frozen=True):
    """How far a log was read."""

    byte_offset: Count
    line_offset: Count
    last_event_offset: Count
    last_output_at: Time | None
    file_inode: str | None
    file_size_seen: Count


class LogState(msgspec.Struct, frozen=True):
    """The newest attachment, if there is any."""

    agent_id: AgentId
    attachment: Attachment | None
    offset: Offset | None


class Preview(msgspec.Struct, frozen=True):
    """The last lines of a log, redacted."""

    agent_id: AgentId
    attachment_id: AttachmentId
    log_path: str
    lines: list[str]


class LogPage(msgspec.Struct, frozen=True):
    """Whole lines from a place on, redacted."""

    agent_id: AgentId
    attachment_id: AttachmentId
    status: State
    log_path: str
    file: Annotated[str, Meta(description="which file it is")]
    size: Count
    offset: Annotated[int, Meta(ge=0, description="where the first line begins")]
    next: Annotated[int, Meta(ge=0, description="where the next line will begin")]
    reset: Annotated[bool, Meta(description="it is another file, or a shorter one")]
    lines: list[str]
    partial: Annotated[str | None, Meta(description="what stands after the last whole line")]


# --- declarations --------------------------------------------------------------------------------

_READ = ("schema_version_newer", "value_out_of_set", "agent_not_found")
_CHANGE = (
    *_READ,
    "agent_inactive",
    "pane_unknown_to_daemon",
    "pipe_pane_failed",
    "tmux_unavailable",
    "docker_unavailable",
    "worker_unavailable",
)

ATTACH = Declaration(
    name="attach_log",
    summary="Capture what an agent's pane prints.",
    gate=Gate.KNOWN,
    params=AttachLog,
    result=Attached,
    errors=(*_CHANGE, "log_path_invalid", "log_path_not_host_visible", "log_path_in_use"),
)
DETACH = Declaration(
    name="detach_log",
    summary="Stop to capture what an agent's pane prints.",
    gate=Gate.KNOWN,
    params=DetachLog,
    result=Detached,
    errors=(*_CHANGE, "attachment_not_found"),
)
STATUS = Declaration(
    name="attach_log_status",
    summary="Where an agent's log is, and how far it was read.",
    gate=Gate.KNOWN,
    params=LogStatus,
    result=LogState,
    errors=_READ,
)
PREVIEW = Declaration(
    name="attach_log_preview",
    summary="The last lines of an agent's log, redacted.",
    gate=Gate.KNOWN,
    params=LogPreview,
    result=Preview,
    errors=(*_READ, "attachment_not_found", "log_file_missing"),
)
READ = Declaration(
    name="logs.read",
    summary="The lines of an agent's log from a place on, redacted.",
    gate=Gate.KNOWN,
    params=ReadLog,
    result=LogPage,
    errors=(*_READ, "attachment_not_found", "log_file_missing"),
    additive=True,
)
