"""From bytes to a request: size, encoding, JSON, shape (legacy surfaces, 3.3 steps 1 to 5).

Where the contract is silent (3.4):

- A line without its newline before the client stopped sending is ``bad_request``, as clients of
  the earlier daemon know it. Nothing sent at all gets no answer.
- An empty line, or a NUL byte, is no JSON text: ``bad_json``. A CR is blank space to JSON, so a
  line that ends in CR LF is as good as one that ends in LF.
- A second value after the object makes the line unparseable: ``bad_json``; the first is not run.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from agenttower.errors import AgentTowerError, BadRequest

REQUEST_LIMIT = 65536
"""Bytes of a request line, its newline included."""

_decode = msgspec.json.Decoder().decode
_ABSENT: dict[str, object] = {}


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


def parse_request(line: bytes) -> Request:
    """Steps 2 to 5 of the validation order.

    :param line: the request without its newline.
    :raises BadJson: not UTF-8 or not one JSON text.
    :raises BadRequest: not an object, or ``method`` is not a non-empty string.
    """
    try:
        line.decode()
    except UnicodeDecodeError as error:
        raise BadJson(f"the request is not UTF-8 (byte {error.start}); send UTF-8 JSON") from None
    try:
        value = _decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        reason = "too deeply nested" if isinstance(error, RecursionError) else str(error)
        raise BadJson(f"the request is not JSON: {reason}; send one object on one line") from None
    if not isinstance(value, dict):
        raise BadRequest('the request must be a JSON object: {"method": "...", "params": {...}}')
    method = value.get("method")
    if not isinstance(method, str) or not method:
        raise BadRequest('"method" must be a non-empty string, for example "ping"')
    return Request(method, value.get("params", _ABSENT))


def params_object(params: object) -> dict[str, object]:
    """Step 7: ``params`` is absent or an object.

    :raises BadRequest: anything else, ``null`` included.
    """
    if not isinstance(params, dict):
        raise BadRequest('"params" must be an object where it is given; leave it out for none')
    return params
