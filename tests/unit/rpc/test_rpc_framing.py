"""Steps 2 to 5 and 7 of the validation order (legacy surfaces, 3.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenttower.errors import AgentTowerError, BadRequest
from agenttower.rpc.framing import BadJson, params_object, parse_request


@pytest.mark.parametrize(
    "line",
    [
        b" ",
        b"\xff\xfe",
        b'{"method":"p\xffing"}',
        b'{"method":"ping"',
        b"{'method':'ping'}",
        b'{"method":"ping"} {"method":"ping"}',
        b'{"method":"ping"}x',
        b'{"method":"ping"}\x00',
        b'\x00{"method":"ping"}',
        b'{"method":NaN}',
        b'{"method":"\\ud800"}',
        b"\xef\xbb\xbf{}",
        b"[" * 30000,
        b"1" * 5000,
    ],
)
def test_bad_json(line: bytes) -> None:
    with pytest.raises(BadJson):
        parse_request(line)


@pytest.mark.parametrize(
    "line",
    [
        b"null",
        b"[]",
        b'"ping"',
        b"3",
        b"true",
        b"{}",
        b'{"method":null}',
        b'{"method":""}',
        b'{"method":3}',
        b'{"method":["ping"]}',
        b'{"params":{}}',
    ],
)
def test_bad_request(line: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_request(line)


def test_good_lines() -> None:
    assert parse_request(b'{"method":"ping"}').params == {}
    assert parse_request(b' {"method":"ping","id":7,"params":{"a":1}}\r').params == {"a": 1}
    assert parse_request('{"method":"grüße"}'.encode()).method == "grüße"


@pytest.mark.parametrize("params", [None, [], "", 0, False, "x"])
def test_params_must_be_an_object(params: object) -> None:
    with pytest.raises(BadRequest):
        params_object(params)


@given(st.binary(max_size=300))
def test_any_bytes_give_a_request_or_our_own_error(line: bytes) -> None:
    code = ""
    try:
        parse_request(line)
    except AgentTowerError as error:
        code = error.code
    assert code in ("", "bad_json", "bad_request", "malformed_request")
