"""From bytes to a request: size, encoding, JSON, shape.

Two contracts share the socket. For the older methods the order is that of legacy surfaces 3.3
(steps 1 to 5); ``app.*`` is stricter and has codes of its own (app surface, section 1). Which one
holds is known from the method's name, looked for at the front of a line that cannot be parsed or
is not whole yet (:func:`namespace_of_head`). Where the older contract is silent (3.4):

- A line without its newline before the client stopped sending is ``bad_request``, as clients of
  the earlier daemon know it. Nothing sent at all gets no answer.
- A line of no bytes, or of a CR alone, has no method: ``malformed_request``, as ``app.*`` has it.
- A NUL byte is no JSON text: ``bad_json``. A CR is blank space to JSON, so a line that ends in
  CR LF is as good as one that ends in LF.
- A second value after the object makes the line unparseable: ``bad_json``; the first is not run.

In both: of a key that is given twice the last one counts; NaN, Infinity, numbers beyond a double,
and escaped halves of a character are no JSON; integers may have any size until a field says more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import msgspec

from agenttower.errors import AgentTowerError, BadRequest

REQUEST_LIMIT = 65536
"""Bytes of a request line, its newline included."""

APP_REQUEST_LIMIT = 1024 * 1024
"""The same for ``app.*`` (app surface, section 1)."""

HEAD = 2048
"""Bytes at the front of a line in which the method has to stand to be known before the rest."""

Namespace = Literal["app", "older"]
MalformedReason = Literal[
    "stray CR",
    "embedded NUL",
    "trailing content",
    "json decode error",
    "empty line",
    "missing newline terminator",
]

_decode = msgspec.json.Decoder().decode
_ABSENT: dict[str, object] = {}
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]:,]')
_APP = b'"app.'


class BadJson(AgentTowerError):
    """The line is not UTF-8, or not one JSON text."""

    code = "bad_json"


class RequestTooLarge(AgentTowerError):
    """The line does not fit the limit."""

    code = "request_too_large"

    def __init__(self) -> None:
        super().__init__(
            f"the request is longer than {REQUEST_LIMIT} bytes, its newline included; "
            "send less in one request"
        )


class PayloadTooLarge(AgentTowerError):
    """A line of ``app.*`` does not fit its limit."""

    code = "payload_too_large"

    def __init__(self, size: int) -> None:
        """:param size: bytes that were sent, as far as they were counted."""
        super().__init__(
            f"the request has {size} bytes or more and may have {APP_REQUEST_LIMIT}, its newline "
            "included; send less in one request",
            size_limit_bytes=APP_REQUEST_LIMIT,
            actual_size_bytes=size,
        )


class MalformedRequest(AgentTowerError):
    """A line breaks the framing of ``app.*``; nothing of it is run."""

    code = "malformed_request"

    def __init__(self, reason: MalformedReason, hint: str = "") -> None:
        super().__init__(
            f"the request line is refused: {reason}{hint}; send one JSON object in UTF-8, then LF",
            reason=reason,
        )


class UnknownMethod(AgentTowerError):
    """No method of that name."""

    code = "unknown_method"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"unknown method {name[:64]!r}; "
            "the daemon may be older than the client: compare 'agenttower status'"
        )


@dataclass(frozen=True, slots=True)
class Request:
    """A well-formed line; ``params`` is still whatever JSON value was sent."""

    method: str
    params: object
    keep_open: bool = False
    """The client will send another request on this connection: ``"keep_open": true``. Anything
    else under that key is ignored, like every key that we do not know."""


def namespace_of_head(line: bytes) -> Namespace:
    """Whose rules hold for a line that cannot be parsed, or has not come in whole.

    The method counts where it is a member of the line's own object, within the first :data:`HEAD`
    bytes: not in ``params``, not in a text. Everything else is held to the older rules.
    """
    depth, key, is_value = 0, b"", False
    for match in _TOKEN.finditer(line[:HEAD]):
        token = match[0]
        if token in (b"{", b"["):
            depth += 1
            if depth == 1 and token == b"[":
                return "older"
        elif token in (b"}", b"]"):
            depth -= 1
        elif depth != 1:
            continue
        elif token == b":":
            is_value = True
        elif token == b",":
            key, is_value = b"", False
        elif not is_value:
            key = token
        elif key == b'"method"':
            return "app" if token.startswith(_APP) else "older"
    return "older"


def parse_request(line: bytes) -> Request:
    """A request line of any namespace, checked by the rules of its own.

    :param line: the request without its newline.
    :raises BadJson: not UTF-8 or not one JSON text.
    :raises BadRequest: not an object, or ``method`` is not a non-empty string.
    :raises RequestTooLarge: longer than a line of an older method may be.
    :raises MalformedRequest: a fault of the framing, in ``app.*`` or in a line of no bytes.
    """
    if line in (b"", b"\r"):
        raise MalformedRequest("stray CR" if line else "empty line")
    request = _parse_app(line) if namespace_of_head(line) == "app" else _parse_older(line)
    if request.method.startswith("app."):
        _check_app_line(line)
    elif len(line) >= REQUEST_LIMIT:
        raise RequestTooLarge
    return request


def params_object(params: object) -> dict[str, object]:
    """Step 7: ``params`` is absent or an object.

    :raises BadRequest: anything else, ``null`` included.
    """
    if not isinstance(params, dict):
        raise BadRequest('"params" must be an object where it is given; leave it out for none')
    return params


def _parse_older(line: bytes) -> Request:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        raise BadJson(f"the request is not UTF-8 (byte {error.start}); send UTF-8 JSON") from None
    try:
        value = _decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        reason = _fault(error)
        raise BadJson(f"the request is not JSON: {reason}; send one object on one line") from None
    return _shaped(value)


def _parse_app(line: bytes) -> Request:
    _check_app_line(line)
    try:
        line.decode()
        value = _decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        if "trailing characters" in str(error):
            raise MalformedRequest("trailing content") from None
        raise MalformedRequest("json decode error", f" ({_fault(error)})") from None
    return _shaped(value)


def _check_app_line(line: bytes) -> None:
    if b"\r" in line:
        raise MalformedRequest("stray CR")
    if b"\0" in line:
        raise MalformedRequest("embedded NUL")
    if line.endswith((b" ", b"\t")):
        raise MalformedRequest("trailing content")


def _fault(error: Exception) -> str:
    """What a parser said, without what it read."""
    if isinstance(error, RecursionError):
        return "too deeply nested"
    if isinstance(error, UnicodeDecodeError):
        return f"no UTF-8 at byte {error.start}"
    return str(error)


def _shaped(value: object) -> Request:
    if not isinstance(value, dict):
        raise BadRequest('the request must be a JSON object: {"method": "...", "params": {...}}')
    method = value.get("method")
    if not isinstance(method, str) or not method:
        raise BadRequest('"method" must be a non-empty string, for example "ping"')
    return Request(method, value.get("params", _ABSENT), value.get("keep_open") is True)
