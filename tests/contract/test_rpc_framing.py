"""Framing and validation order on a real socket (legacy surfaces part 1, sections 3.2 to 3.4)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agenttower.rpc.framing import REQUEST_LIMIT
from tests.support.rpc_server import RunningServer, decoded, open_method, read_all, running_server

PING = b'{"method":"ping"}\n'
PONG = {"ok": True, "result": {}}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    def boom(_call: object) -> dict[str, object]:
        raise RuntimeError("secret /etc/passwd")

    extra = {
        "boom": open_method(boom),
        "managed.boom": open_method(boom),
        "odd": open_method(lambda _call: {"not json": object()}),
        "big": open_method(lambda _call: {"text": "x" * 3_000_000}),
    }
    with running_server(tmp_path, extra=extra) as running:
        yield running


def padded(size: int) -> bytes:
    """A ``ping`` of exactly ``size`` bytes, its newline included."""
    head, tail = b'{"method":"ping","pad":"', b'"}\n'
    return head + b"x" * (size - len(head) - len(tail)) + tail


def test_one_request_one_line_then_closed(server: RunningServer) -> None:
    assert server.exchange(PING) == b'{"ok":true,"result":{}}\n'


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"\xff\n", "bad_json"),
        (b"{\n", "bad_json"),
        (b'{"method":"ping"}\x00\n', "bad_json"),
        (b'{"method":"ping"}{"method":"ping"}\n', "bad_json"),
        (b"[1]\n", "bad_request"),
        (b"null\n", "bad_request"),
        (b'{"method":3}\n', "bad_request"),
        (b'{"method":""}\n', "bad_request"),
        (b'{"method":"nope"}\n', "unknown_method"),
        (b'{"method":"PING"}\n', "unknown_method"),
        (b'{"method":"ping "}\n', "unknown_method"),
        (b'{"method":"managed.nope"}\n', "unknown_method"),
        (b'{"method":"ping","params":null}\n', "bad_request"),
        (b'{"method":"ping","params":[]}\n', "bad_request"),
        (b'{"method":"ping","params":"x"}\n', "bad_request"),
        # Earlier steps come first.
        (b'{"method":"nope","params":null}\n', "unknown_method"),
        (b'{"method":3,"params":null}\n', "bad_request"),
        (b'["\xff"]\n', "bad_json"),
    ],
)
def test_refusals_in_their_order(server: RunningServer, line: bytes, code: str) -> None:
    answer = decoded(server.exchange(line))
    assert answer["ok"] is False
    assert answer["error"]["code"] == code
    assert set(answer) == {"ok", "error"}


@pytest.mark.parametrize(
    "line",
    [
        b'{"method":"ping"}\r\n',
        b' {"params":{},"method":"ping"}\n',
        b'{"method":"ping","params":{"unknown":1}}\n',
        b'{"method":"ping","id":1,"extra":null}\n',
    ],
)
def test_accepted(server: RunningServer, line: bytes) -> None:
    assert decoded(server.exchange(line)) == PONG


def test_legacy_errors_have_no_details_and_managed_ones_always(server: RunningServer) -> None:
    assert set(server.error("nope")) == {"code", "message"}
    assert server.error("managed.nope")["details"] == {}
    assert server.error("managed.layout.detail", {})["details"] == {
        "field": "layout_id",
        "reason": "is required and was not given",
    }


def test_params_that_are_no_object_in_the_managed_envelope(server: RunningServer) -> None:
    answer = decoded(server.exchange(b'{"method":"managed.layout.list","params":[]}\n'))
    assert answer["error"]["code"] == "bad_request"
    assert answer["error"]["details"] == {}


def test_largest_line_fits(server: RunningServer) -> None:
    assert decoded(server.exchange(padded(REQUEST_LIMIT))) == PONG


@pytest.mark.parametrize("excess", [1, 2, 5000, 1_000_000])
def test_one_byte_more_is_too_large(server: RunningServer, excess: int) -> None:
    """Also a client that sends all of it before it reads is told why."""
    answer = decoded(server.exchange(padded(REQUEST_LIMIT + excess)))
    assert answer["error"]["code"] == "request_too_large"


def test_too_large_comes_before_everything_else(server: RunningServer) -> None:
    answer = decoded(server.exchange(b"\xff" * (REQUEST_LIMIT + 1)))
    assert answer["error"]["code"] == "request_too_large"


def test_bytes_after_the_newline_are_never_looked_at(server: RunningServer) -> None:
    for rest in (b"\xff\xff", PING, b"x" * 300_000):
        assert decoded(server.exchange(PING + rest)) == PONG


def test_line_in_single_bytes(server: RunningServer) -> None:
    with server.connect() as connection:
        for byte in PING:
            connection.sendall(bytes([byte]))
        assert decoded(read_all(connection)) == PONG


def test_nothing_sent_gets_nothing(server: RunningServer) -> None:
    assert server.exchange(b"", half_close=True) == b""


def test_line_without_newline_is_bad_request(server: RunningServer) -> None:
    answer = decoded(server.exchange(PING.rstrip(), half_close=True))
    assert answer["error"]["code"] == "bad_request"


def test_half_closed_client_gets_its_answer(server: RunningServer) -> None:
    assert decoded(server.exchange(PING, half_close=True)) == PONG


@pytest.mark.parametrize("method", ["boom", "managed.boom", "odd"])
def test_unexpected_exception_tells_nothing_and_the_daemon_lives(
    server: RunningServer, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    error = server.error(method)
    assert error["code"] == "internal_error"
    assert "secret" not in json.dumps(error)
    assert "Error:" not in error["message"]
    assert error.get("details", {}) == {}
    assert method in caplog.text
    assert "Traceback" in caplog.text
    assert server.ask("ping") == PONG


def test_large_answer_arrives_whole(server: RunningServer) -> None:
    assert len(server.ask("big")["result"]["text"]) == 3_000_000
