"""The shapes of ``params`` of ``queue.*`` and ``routing.*`` (legacy surfaces part 2, section 6).

A decoded request to send carries the id that its prompt will have: a request is decoded once and
may be run many times while it waits.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

import msgspec

from agenttower.clock import Micros
from agenttower.domain.prompts import ENVELOPE_LIMIT, Form, PromptState
from agenttower.errors import BadRequest, BodyTooLarge, OriginInvalid, SinceInvalid
from agenttower.rpc.method import Params
from agenttower.rpc.schemas import WaitSeconds, lenient
from agenttower.services.pane_claims import PaneClaim

S = TypeVar("S", bound=msgspec.Struct)

Text = Annotated[str, msgspec.Meta(min_length=1)]
WaitBudget = Annotated[float, msgspec.Meta(ge=0, le=300)]
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]

DEFAULT_WAIT_S = 10.0
_SINCE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{3}))?Z", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class PaneKey(msgspec.Struct, frozen=True):
    """The six parts that make a pane."""

    container_id: Text
    tmux_socket_path: Text
    tmux_session_name: Text
    tmux_window_index: int
    tmux_pane_index: int
    tmux_pane_id: Text


class CallerPane(msgspec.Struct, frozen=True):
    """Section 0.3."""

    pane_composite_key: PaneKey
    agent_id: str | None = None

    @property
    def claim(self) -> PaneClaim:
        """What the client says, without the parts that move while a pane lives."""
        key = self.pane_composite_key
        return PaneClaim(key.container_id, key.tmux_socket_path, key.tmux_pane_id, self.agent_id)


class SendInput(msgspec.Struct, frozen=True):
    """``queue.send_input``."""

    target: Text
    body_bytes: str
    caller_pane: CallerPane | None = None
    wait: bool = True
    wait_timeout_seconds: WaitBudget = DEFAULT_WAIT_S


class OperatorInput(msgspec.Struct, frozen=True):
    """``queue.operator_input``, additive: exactly one of ``body_bytes`` and ``body_file``."""

    target: Text
    body_bytes: str | None = None
    body_file: Text | None = None
    form: Form = Form.PLAIN
    idempotency_key: Key | None = None
    wait: bool = True
    wait_timeout_seconds: WaitBudget = DEFAULT_WAIT_S


class ListPrompts(msgspec.Struct, frozen=True):
    """``queue.list``; ``cursor`` is reserved and ignored."""

    state: PromptState | None = None
    target: Text | None = None
    sender: Text | None = None
    since: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    origin: str | None = None
    cursor: str | None = None


class ShowPrompt(msgspec.Struct, frozen=True):
    """``queue.show``, additive: waits until ``last_updated_at`` is another than ``after``."""

    message_id: Text
    after: str | None = None
    wait_seconds: WaitSeconds = 0.0


class ActOnPrompt(msgspec.Struct, frozen=True):
    """``queue.approve``, ``queue.delay``, ``queue.cancel``."""

    message_id: Text
    caller_pane: CallerPane | None = None


class Toggle(msgspec.Struct, frozen=True):
    """``routing.enable``, ``routing.disable``: a pane that is given is refused."""

    caller_pane: dict[str, object] | None = None


class Sending(msgspec.Struct, frozen=True):
    """A request to send, its body decoded, with the id of the prompt that it makes."""

    target: str
    body: bytes
    wait_s: float
    message_id: str
    claim: PaneClaim | None = None
    form: Form = Form.PLAIN
    idempotency_key: str | None = None


def complete(struct: type[S]) -> Callable[[Params], S]:
    """A decoder for legacy methods: what is missing or has a wrong type is ``bad_request``."""
    decode = lenient(struct)
    required = [field.encode_name for field in msgspec.structs.fields(struct) if field.required]

    def check(params: Params) -> S:
        for name in required:
            if name not in params:
                raise BadRequest(f"{name}: is required and was not given")
        return decode(params)

    return check


def decode_send_input(params: Params) -> Sending:
    """Check ``queue.send_input``. :raises BadRequest: a parameter does not fit."""
    wanted = complete(SendInput)(params)
    return Sending(
        wanted.target,
        _body(wanted.body_bytes),
        wanted.wait_timeout_seconds if wanted.wait else 0.0,
        str(uuid.uuid4()),
        claim=None if wanted.caller_pane is None else wanted.caller_pane.claim,
    )


def decode_operator_input(params: Params) -> Sending:
    """Check ``queue.operator_input``. :raises BadRequest: a parameter does not fit."""
    wanted = complete(OperatorInput)(params)
    if (wanted.body_bytes is None) == (wanted.body_file is None):
        raise BadRequest("give either body_bytes or body_file")
    body = _body(wanted.body_bytes) if wanted.body_bytes is not None else _file(wanted.body_file)
    return Sending(
        wanted.target,
        body,
        wanted.wait_timeout_seconds if wanted.wait else 0.0,
        str(uuid.uuid4()),
        form=wanted.form,
        idempotency_key=wanted.idempotency_key,
    )


def decode_list(params: Params) -> tuple[ListPrompts, Micros | None]:
    """Check ``queue.list``; the instant is that of ``since``.

    :raises BadRequest: or :class:`SinceInvalid` or :class:`OriginInvalid`.
    """
    wanted = complete(ListPrompts)(params)
    if wanted.origin not in (None, "direct", "route"):
        raise OriginInvalid(str(wanted.origin))
    return wanted, None if wanted.since is None else _instant(wanted.since)


def _body(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"body_bytes: must be standard base64 ({error})") from error


def _file(path: str | None) -> bytes:
    """A body that is too long for a request line, out of a file of the host.

    A request line holds 48 KiB of base64. Only the host may name a file, and its peer has our uid.
    """
    assert path is not None
    try:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except (OSError, ValueError) as error:
        raise BadRequest(f"body_file: {path[:200]!r} cannot be read: {error}") from error
    try:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise BadRequest(f"body_file: {path[:200]!r} is no regular file")
        body = os.pread(opened, ENVELOPE_LIMIT + 1, 0)
    finally:
        os.close(opened)
    if len(body) > ENVELOPE_LIMIT:
        raise BodyTooLarge(f"the prompt has more than {ENVELOPE_LIMIT} bytes")
    return body


def _instant(text: str) -> Micros:
    found = _SINCE.fullmatch(text)
    if found is None:
        raise SinceInvalid(text)
    try:
        moment = datetime.fromisoformat(f"{found[1]}+00:00")
    except ValueError as error:
        raise SinceInvalid(text) from error
    return (moment - _EPOCH) // timedelta(microseconds=1) + int(found[2] or 0) * 1000
