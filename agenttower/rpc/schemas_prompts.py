"""How ``params`` of ``queue.*`` are checked (legacy surfaces part 2, section 6).

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
from typing import TypeVar

import msgspec

from agenttower.clock import Micros
from agenttower.domain.prompts import ENVELOPE_LIMIT, Form
from agenttower.errors import BadRequest, BodyTooLarge, OriginInvalid, SinceInvalid
from agenttower.protocol.panes import CallerPane
from agenttower.protocol.prompts import ListPrompts, OperatorInput, SendInput
from agenttower.rpc.method import Params
from agenttower.rpc.schemas import lenient
from agenttower.services.pane_claims import PaneClaim

S = TypeVar("S", bound=msgspec.Struct)

_SINCE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{3}))?Z", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


def claim_of(pane: CallerPane | None) -> PaneClaim | None:
    """What the client says it speaks for, without the parts that move while a pane lives."""
    if pane is None:
        return None
    key = pane.pane_composite_key
    return PaneClaim(key.container_id, key.tmux_socket_path, key.tmux_pane_id, pane.agent_id)


def from_a_pane(struct: type[SendInput]) -> Callable[[Params], Sending]:
    """The decoder of ``queue.send_input``, which refuses by ``bad_request``."""
    shape = complete(struct)

    def decode(params: Params) -> Sending:
        wanted = shape(params)
        return Sending(
            wanted.target,
            _body(wanted.body_bytes),
            wanted.wait_timeout_seconds if wanted.wait else 0.0,
            str(uuid.uuid4()),
            claim=claim_of(wanted.caller_pane),
        )

    return decode


def from_the_host(struct: type[OperatorInput]) -> Callable[[Params], Sending]:
    """The decoder of ``queue.operator_input``, which refuses by ``bad_request``."""
    shape = complete(struct)

    def decode(params: Params) -> Sending:
        wanted = shape(params)
        if (wanted.body_bytes is None) == (wanted.body_file is None):
            raise BadRequest("give either body_bytes or body_file")
        given = wanted.body_bytes
        return Sending(
            wanted.target,
            _body(given) if given is not None else _file(wanted.body_file),
            wanted.wait_timeout_seconds if wanted.wait else 0.0,
            str(uuid.uuid4()),
            form=wanted.form,
            idempotency_key=wanted.idempotency_key,
        )

    return decode


def filters(
    struct: type[ListPrompts],
) -> Callable[[Params], tuple[ListPrompts, Micros | None]]:
    """The decoder of ``queue.list``; the instant is that of ``since``.

    It raises :class:`BadRequest`, :class:`SinceInvalid` or :class:`OriginInvalid`.
    """
    shape = complete(struct)

    def decode(params: Params) -> tuple[ListPrompts, Micros | None]:
        wanted = shape(params)
        if wanted.origin not in (None, "direct", "route"):
            raise OriginInvalid(str(wanted.origin))
        return wanted, None if wanted.since is None else _instant(wanted.since)

    return decode


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
