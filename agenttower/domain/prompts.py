"""Prompts: states, who may send to whom, what a body may hold, and the text that is pasted.

Legacy surfaces part 2, sections 3 and 4.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from agenttower.domain.permissions import Role
from agenttower.domain.redaction import redact_text
from agenttower.errors import BodyEmpty, BodyInvalidChars, BodyInvalidEncoding, BodyTooLarge

HOST_OPERATOR = "host-operator"
"""The sender and operator that is no agent; it has a master's rights."""

ENVELOPE_LIMIT = 65_536
"""Bytes that are pasted at most, headers included."""
EXCERPT_CHARACTERS = 240
NO_EXCERPT = "[excerpt unavailable: redactor failed]"


class PromptState(StrEnum):
    """A prompt's state; the last three are final."""

    QUEUED = "queued"
    BLOCKED = "blocked"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_final(self) -> bool:
        return self not in (PromptState.QUEUED, PromptState.BLOCKED)


class BlockReason(StrEnum):
    """Why a prompt waits for somebody's decision (section 3.3), in the order of the checks."""

    KILL_SWITCH_OFF = "kill_switch_off"
    SENDER_ROLE_NOT_PERMITTED = "sender_role_not_permitted"
    TARGET_NOT_ACTIVE = "target_not_active"
    TARGET_ROLE_NOT_PERMITTED = "target_role_not_permitted"
    TARGET_CONTAINER_INACTIVE = "target_container_inactive"
    TARGET_PANE_MISSING = "target_pane_missing"
    OPERATOR_DELAYED = "operator_delayed"


class FailureReason(StrEnum):
    """Why a delivery failed (section 3.5); ``pane_not_ready`` is additive: nothing was pasted."""

    ATTEMPT_INTERRUPTED = "attempt_interrupted"
    TMUX_PASTE_FAILED = "tmux_paste_failed"
    DOCKER_EXEC_FAILED = "docker_exec_failed"
    TMUX_SEND_KEYS_FAILED = "tmux_send_keys_failed"
    PANE_DISAPPEARED = "pane_disappeared_mid_attempt"
    SQLITE_LOCK_CONFLICT = "sqlite_lock_conflict"
    PANE_NOT_READY = "pane_not_ready"


class Form(StrEnum):
    """What is pasted: the body under its envelope, or the body as it was written."""

    ENVELOPE = "envelope"
    PLAIN = "plain"


class Action(StrEnum):
    """What an operator may do with a prompt, as it is noted in its row."""

    APPROVED = "approved"
    DELAYED = "delayed"
    CANCELED = "canceled"


_RECEIVERS = frozenset({Role.SLAVE, Role.SWARM})
_NEVER_APPROVED = frozenset(
    {BlockReason.SENDER_ROLE_NOT_PERMITTED, BlockReason.TARGET_ROLE_NOT_PERMITTED}
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Sender or target as it was when the prompt was accepted; frozen from then on."""

    agent_id: str
    label: str
    role: str
    capability: str | None = None


OPERATOR = Identity(HOST_OPERATOR, HOST_OPERATOR, Role.MASTER)


@dataclass(frozen=True, slots=True)
class Situation:
    """What decides whether a prompt may go its way now."""

    routing_enabled: bool
    target_active: bool
    target_role: str
    container_active: bool
    pane_present: bool
    sender_active: bool = True
    sender_role: str = Role.MASTER
    reports: bool = False
    """A route made it, and the operator lets routes prompt masters."""


def block_reason(situation: Situation) -> BlockReason | None:
    """The first check that fails (sections 3.3 and 4.2), or ``None`` where the prompt may go.

    Before a delivery the sender is left at its defaults: it was judged at enqueue.
    """
    may_send = situation.sender_role == Role.MASTER and situation.sender_active
    checks = (
        (situation.routing_enabled, BlockReason.KILL_SWITCH_OFF),
        (may_send, BlockReason.SENDER_ROLE_NOT_PERMITTED),
        (situation.target_active, BlockReason.TARGET_NOT_ACTIVE),
        (_may_receive(situation), BlockReason.TARGET_ROLE_NOT_PERMITTED),
        (situation.container_active, BlockReason.TARGET_CONTAINER_INACTIVE),
        (situation.pane_present, BlockReason.TARGET_PANE_MISSING),
    )
    return next((reason for passed, reason in checks if not passed), None)


def _may_receive(situation: Situation) -> bool:
    role = situation.target_role
    return role in _RECEIVERS or (situation.reports and role == Role.MASTER)


def may_approve(reason: BlockReason, *, routing_enabled: bool) -> bool:
    """Whether an operator may let a blocked prompt go (section 3.3)."""
    if reason is BlockReason.KILL_SWITCH_OFF:
        return routing_enabled
    return reason not in _NEVER_APPROVED


def may_change(old: PromptState | None, new: PromptState) -> bool:
    """Whether section 3.2 has this change of state; ``None`` is a prompt that is not there yet."""
    if old is None:
        return not new.is_final
    if old is PromptState.QUEUED:
        return new is not PromptState.QUEUED
    if old is PromptState.BLOCKED:
        return new in (PromptState.QUEUED, PromptState.CANCELED)
    return False


# --- text ----------------------------------------------------------------------------------------

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_IN_HEADER = re.compile(r'[\x00-\x1f\x7f-\x9f"]')


def check_body(body: bytes, headers: bytes = b"") -> None:
    """Refuse what must not reach a terminal (section 3.6), and what is too long with its headers.

    C1 control characters are refused like the others: terminals obey them too.

    :raises BodyRefused: with the code of the first rule that is broken.
    """
    if not body:
        raise BodyEmpty("the prompt is empty; give it a text")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BodyInvalidEncoding(
            f"the prompt is not UTF-8 (byte {error.start + 1} of {len(body)}); convert it first",
        ) from error
    found = _CONTROL.search(text)
    if found:
        raise BodyInvalidChars(
            f"the prompt has the control character U+{ord(found[0]):04X} at character "
            f"{found.start() + 1}; only tab and newline are allowed",
        )
    size = len(headers) + len(body)
    if size > ENVELOPE_LIMIT:
        raise BodyTooLarge(
            f"the prompt has {len(body)} bytes and {len(headers)} of headers; at most "
            f"{ENVELOPE_LIMIT} in all are delivered: put the text into a file and send its name",
        )


def headers(message_id: str, sender: Identity, target: Identity, form: Form) -> bytes:
    """What stands before the body: the envelope of section 3.6, or nothing."""
    if form is Form.PLAIN:
        return b""
    lines = (
        f"Message-Id: {message_id}",
        f"From: {_named(sender)}",
        f"To: {_named(target)}",
        "Type: prompt",
        "Priority: normal",
        "Requires-Reply: yes",
    )
    return ("\n".join(lines) + "\n\n").encode()


def _named(who: Identity) -> str:
    capability = f" [capability={_IN_HEADER.sub(' ', who.capability)}]" if who.capability else ""
    return f'{who.agent_id} "{_IN_HEADER.sub(" ", who.label)}" {who.role}{capability}'


def excerpt(body: bytes, redact: Callable[[str], str] = redact_text) -> str:
    """A body in one line that may be shown (section 3.6): redacted, at most 241 characters."""
    try:
        line = " ".join(redact(body.decode("utf-8", "replace")).split())
    except Exception:  # whatever it was, the raw body must not be shown instead
        return NO_EXCERPT
    return line if len(line) <= EXCERPT_CHARACTERS else f"{line[:EXCERPT_CHARACTERS]}…"
