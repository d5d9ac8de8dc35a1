"""``queue.*`` and ``routing.*`` (legacy surfaces part 2, sections 3, 6 and 7)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from agenttower.domain.permissions import Role
from agenttower.domain.prompts import Action, BlockReason, FailureReason, Form, PromptState
from agenttower.protocol.declaration import Declaration, Gate, NoParams
from agenttower.protocol.panes import OfCaller
from agenttower.protocol.values import Text, Time, Uuid, WaitSeconds

DEFAULT_WAIT_S = 10.0

Target = Annotated[Text, Meta(description="an agent's id, or the label of an active one")]
Wait = Annotated[bool, Meta(description="answer when it is final or blocked")]
WaitBudget = Annotated[float, Meta(ge=0, le=300, description="and after so long in any case")]
Key = Annotated[str, Meta(min_length=1, max_length=256)]
Base64 = Annotated[
    str, Meta(description="the text in base64", extra_json_schema={"contentEncoding": "base64"})
]


# --- parameters ----------------------------------------------------------------------------------


class SendInput(msgspec.Struct, frozen=True):
    """``queue.send_input``."""

    target: Target
    body_bytes: Base64
    caller_pane: OfCaller = None
    wait: Wait = True
    wait_timeout_seconds: WaitBudget = DEFAULT_WAIT_S


class OperatorInput(msgspec.Struct, frozen=True):
    """``queue.operator_input``, additive: exactly one of ``body_bytes`` and ``body_file``."""

    target: Target
    body_bytes: Base64 | None = None
    body_file: Annotated[
        Text | None, Meta(description="a file of the host, for what no request line holds")
    ] = None
    form: Annotated[Form, Meta(description="with the envelope, or as it was written")] = Form.PLAIN
    idempotency_key: Annotated[
        Key | None, Meta(description="the same key gives the same prompt")
    ] = None
    wait: Wait = True
    wait_timeout_seconds: WaitBudget = DEFAULT_WAIT_S


class ListPrompts(msgspec.Struct, frozen=True):
    """``queue.list``."""

    state: PromptState | None = None
    target: Annotated[Text | None, Meta(description="an agent's id or label")] = None
    sender: Annotated[Text | None, Meta(description="likewise, or `host-operator`")] = None
    since: Annotated[
        str | None, Meta(description="enqueued then or later: `2026-05-06T18:01:34[.512]Z`")
    ] = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    origin: Annotated[str | None, Meta(extra_json_schema={"enum": ["direct", "route", None]})] = (
        None
    )
    cursor: Annotated[str | None, Meta(description="reserved, and ignored")] = None


class ShowPrompt(msgspec.Struct, frozen=True):
    """``queue.show``, additive."""

    message_id: Text
    after: Annotated[
        str | None, Meta(description="wait until `last_updated_at` is another than this")
    ] = None
    wait_seconds: WaitSeconds = 0.0


class ActOnPrompt(msgspec.Struct, frozen=True):
    """``queue.approve``, ``queue.delay``, ``queue.cancel``."""

    message_id: Text
    caller_pane: OfCaller = None


class Toggle(msgspec.Struct, frozen=True):
    """``routing.enable``, ``routing.disable``."""

    caller_pane: Annotated[
        dict[str, Any] | None, Meta(description="whoever speaks for a pane is refused")
    ] = None


# --- results -------------------------------------------------------------------------------------


class Identity(msgspec.Struct, frozen=True):
    """Sender or target as they were when the prompt was accepted."""

    agent_id: Annotated[str, Meta(description="an agent's id, or `host-operator`")]
    label: str
    role: Role
    capability: str | None


class Prompt(msgspec.Struct, frozen=True):
    """A row of the queue (section 3.1)."""

    message_id: Uuid
    state: PromptState
    block_reason: BlockReason | None
    failure_reason: FailureReason | None
    sender: Identity
    target: Identity
    envelope_size_bytes: Annotated[int, Meta(ge=1)]
    envelope_body_sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    enqueued_at: Time
    delivery_attempt_started_at: Time | None
    delivered_at: Time | None
    failed_at: Time | None
    canceled_at: Time | None
    last_updated_at: Time
    operator_action: Action | None
    operator_action_at: Time | None
    operator_action_by: str | None
    origin: Literal["direct", "route"]
    route_id: Uuid | None
    event_id: int | None
    excerpt: Annotated[str, Meta(max_length=241, description="redacted")]
    form: Annotated[Form, Meta(description="additive")]
    detail: Annotated[str | None, Meta(description="what happened; additive")]
    submission: Annotated[Literal["submitted", "unverified"] | None, Meta(description="additive")]
    submission_reason: Annotated[str | None, Meta(description="additive")]


class OperatorPrompt(Prompt, frozen=True):
    """The prompt, and whether it had been accepted before."""

    deduplicated: bool


class Prompts(msgspec.Struct, frozen=True):
    """By when they were accepted; there are no further pages."""

    rows: list[Prompt]
    next_cursor: None


class Switch(msgspec.Struct, frozen=True):
    """The kill switch."""

    value: Literal["enabled", "disabled"]
    last_updated_at: Time
    last_updated_by: str


class Toggled(msgspec.Struct, frozen=True):
    """The kill switch, before and now."""

    previous_value: Literal["enabled", "disabled"]
    current_value: Literal["enabled", "disabled"]
    changed: bool
    last_updated_at: Time
    last_updated_by: str


# --- declarations --------------------------------------------------------------------------------

_NAMES = ("agent_not_found", "target_label_ambiguous")
_BODY = (
    "body_empty",
    "body_invalid_encoding",
    "body_invalid_chars",
    "body_too_large",
    "daemon_shutting_down",
)
_ACT = (
    "operator_pane_inactive",
    "message_id_not_found",
    "terminal_state_cannot_change",
    "delivery_in_progress",
    "daemon_shutting_down",
)

SEND_INPUT = Declaration(
    name="queue.send_input",
    summary="An agent prompts another.",
    gate=Gate.KNOWN,
    params=SendInput,
    result=Prompt,
    errors=("sender_not_in_pane", "sender_role_not_permitted", *_NAMES, *_BODY),
)
OPERATOR_INPUT = Declaration(
    name="queue.operator_input",
    summary="The operator prompts an agent.",
    gate=Gate.HOST,
    params=OperatorInput,
    result=OperatorPrompt,
    errors=(*_NAMES, *_BODY),
    additive=True,
)
SHOW = Declaration(
    name="queue.show",
    summary="One prompt, as soon as it changes.",
    gate=Gate.KNOWN,
    params=ShowPrompt,
    result=Prompt,
    errors=("message_id_not_found",),
    additive=True,
)
LIST = Declaration(
    name="queue.list",
    summary="Prompts.",
    gate=Gate.KNOWN,
    params=ListPrompts,
    result=Prompts,
    errors=(*_NAMES, "since_invalid_format", "queue_origin_invalid"),
)
APPROVE = Declaration(
    name="queue.approve",
    summary="Let a blocked prompt go.",
    gate=Gate.KNOWN,
    params=ActOnPrompt,
    result=Prompt,
    errors=(*_ACT, "approval_not_applicable"),
)
DELAY = Declaration(
    name="queue.delay",
    summary="Hold a queued prompt back.",
    gate=Gate.KNOWN,
    params=ActOnPrompt,
    result=Prompt,
    errors=(*_ACT, "delay_not_applicable"),
)
CANCEL = Declaration(
    name="queue.cancel",
    summary="Give a prompt up.",
    gate=Gate.KNOWN,
    params=ActOnPrompt,
    result=Prompt,
    errors=_ACT,
)

ENABLE = Declaration(
    name="routing.enable",
    summary="Deliver prompts.",
    gate=Gate.ANYONE,
    params=Toggle,
    result=Toggled,
    errors=("routing_toggle_host_only", "daemon_shutting_down"),
)
DISABLE = Declaration(
    name="routing.disable",
    summary="Deliver no prompts.",
    gate=Gate.ANYONE,
    params=Toggle,
    result=Toggled,
    errors=("routing_toggle_host_only", "daemon_shutting_down"),
)
SWITCH = Declaration(
    name="routing.status",
    summary="Are prompts delivered?",
    gate=Gate.ANYONE,
    params=NoParams,
    result=Switch,
)
