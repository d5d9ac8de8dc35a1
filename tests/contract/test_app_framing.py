"""Lines of ``app.*`` on a real socket (app surface, sections 1 to 3)."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from agenttower.protocol.app.errors import ERRORS
from agenttower.rpc.envelopes import RESPONSE_LIMIT
from agenttower.rpc.framing import APP_REQUEST_LIMIT, REQUEST_LIMIT
from agenttower.rpc.limits import Limits
from agenttower.rpc.method import Call, Gate, Method
from tests.support.peers import CONTAINER, pretend
from tests.support.rpc_server import (
    FakeServices,
    RunningServer,
    decoded,
    open_method,
    read_all,
    running_server,
)

APP = b'{"method":"app.note"'


class Notes:
    """A method of ``app.*`` that tells whether it was run."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, call: Call[Any]) -> dict[str, Any]:
        self.runs += 1
        return {"keys": len(call.params)}


@pytest.fixture
def note() -> Notes:
    return Notes()


@pytest.fixture
def server(tmp_path: Path, note: Notes) -> Iterator[RunningServer]:
    fill = {"size": 0}

    def answer(call: Call[Any]) -> dict[str, Any]:
        fill["size"] = int(call.params["size"])
        return {"text": "x" * fill["size"]}

    plain = Method(lambda params: params, answer, Gate.ANYONE)
    extra = {
        "app.note": Method(lambda params: params, note, Gate.HOST),
        "app.big": plain,
        "managed.big": plain,
        "big": plain,
        "note": open_method(lambda _call: {}),
    }
    with running_server(tmp_path, FakeServices(), extra, Limits(linger_s=0.5)) as running:
        yield running


def malformed(answer: bytes, reason: str) -> None:
    told = decoded(answer)
    assert (told["ok"], told["app_contract_version"]) == (False, "1.1")
    assert told["error"]["code"] == "malformed_request", told
    assert told["error"]["details"] == {"reason": reason}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (APP + b"}\r\n", "stray CR"),
        (APP + b',\r"params":{}}\n', "stray CR"),
        (b"\r\n", "stray CR"),
        (APP + b"}\0\n", "embedded NUL"),
        (APP + b',"params":{"a":"\0"}}\n', "embedded NUL"),
        (APP + b"}" + APP + b"}\n", "trailing content"),
        (APP + b"} text\n", "trailing content"),
        (APP + b"} \n", "trailing content"),
        (APP + b"}\t\n", "trailing content"),
        (APP + b"},\n", "trailing content"),
        (APP + b"\n", "json decode error"),
        (APP + b',"params":{"a":"\xff"}}\n', "json decode error"),
        (APP + b',"params":{"a":NaN}}\n', "json decode error"),
        (APP + b',"params":{"a":-Infinity}}\n', "json decode error"),
        (APP + b',"params":{"a":1e999}}\n', "json decode error"),
        (APP + b',"params":{"a":"\\ud800"}}\n', "json decode error"),
        (APP + b',"params":{"a":' + b"9" * 5000 + b"}}\n", "json decode error"),
        (APP + b',"params":{"a":' + b"[" * 30_000 + b"\n", "json decode error"),
        (
            APP + b',"params":' + b'{"a":' * 9_000 + b"1" + b"}" * 9_000 + b"}\n",
            "json decode error",
        ),
        (b"\n", "empty line"),
    ],
)
def test_faults_of_the_framing(
    server: RunningServer, note: Notes, line: bytes, reason: str
) -> None:
    malformed(server.exchange(line), reason)
    assert note.runs == 0


@pytest.mark.parametrize("sent", [APP, APP + b"}", APP + b',"params":{"a":'])
def test_line_that_ends_too_early(server: RunningServer, note: Notes, sent: bytes) -> None:
    malformed(server.exchange(sent, half_close=True), "missing newline terminator")
    assert note.runs == 0


@pytest.mark.parametrize(
    ("rest", "keys"),
    [
        (b"}\n", 0),
        (b',"params":{"a":1,"a":2}}\n', 1),
        (b',"params":{"a":123456789012345678901234567890,"b":-0}}\n', 2),
        (b',"params":{"a":"\\ud83d\\ude00","b":"\\u0000","c":"\\r"}}\n', 3),
        (b',"unknown":[],"params":{}}\n', 0),
        (b',"params":{"a":' + b"[" * 500 + b"]" * 500 + b"}}\n", 1),
    ],
)
def test_lines_that_are_run(server: RunningServer, note: Notes, rest: bytes, keys: int) -> None:
    assert decoded(server.exchange(APP + rest))["result"] == {"keys": keys}
    assert decoded(server.exchange(b" \t" + APP + rest))["result"] == {"keys": keys}
    assert note.runs == 2


def test_what_is_no_app_request_keeps_the_older_envelope(server: RunningServer) -> None:
    for line in (b"[1]\n", b'{"params":"app."}\n', b'{"method":5}\n', b'["method","app.x"]\n'):
        assert decoded(server.exchange(line))["error"]["code"] == "bad_request"
    nested = b'{"params":{"method":"app.note"},"method":"note"\n'
    assert decoded(server.exchange(nested))["error"]["code"] == "bad_json"
    quoted = b'{"x":"\\"method\\":\\"app.note\\"","method":"note"\n'
    assert decoded(server.exchange(quoted))["error"]["code"] == "bad_json"


def test_of_two_methods_the_last_one_counts(server: RunningServer, note: Notes) -> None:
    assert decoded(server.exchange(b'{"method":"app.note","method":"ping"}\n')) == {
        "ok": True,
        "result": {},
    }
    answer = decoded(server.exchange(b'{"method":"ping","method":"app.note"}\n'))
    assert (answer["app_contract_version"], note.runs) == ("1.1", 1)
    malformed(server.exchange(b'{"method":"ping","method":"app.note"}\r\n'), "stray CR")
    head = b'{"method":"app.note","pad":"' + b"x" * REQUEST_LIMIT
    answer = decoded(server.exchange(head + b'","method":"ping"}\n'))
    assert answer["error"]["code"] == "request_too_large"


# --- sizes ---------------------------------------------------------------------------------------


def padded(size: int, head: bytes = APP) -> bytes:
    """A request of exactly ``size`` bytes, its newline included."""
    start, end = head + b',"params":{"pad":"', b'"}}\n'
    return start + b"x" * (size - len(start) - len(end)) + end


@pytest.mark.parametrize("size", [REQUEST_LIMIT, REQUEST_LIMIT + 1, APP_REQUEST_LIMIT])
def test_app_lines_may_be_long(server: RunningServer, note: Notes, size: int) -> None:
    assert decoded(server.exchange(padded(size)))["result"] == {"keys": 1}
    spaced = b'{ "keep_open" : false, "method" : "app.note"'
    assert decoded(server.exchange(padded(size, spaced)))["ok"] is True
    assert note.runs == 2
    assert server.server._accounts._held_bytes == 0


@pytest.mark.parametrize("excess", [1, 2, 70_000, 1_500_000])
def test_longer_ones_are_told_how_long_they_were(
    server: RunningServer, note: Notes, excess: int
) -> None:
    size = APP_REQUEST_LIMIT + excess
    error = decoded(server.exchange(padded(size)))["error"]
    assert error["code"] == "payload_too_large"
    assert error["details"] == {
        "size_limit_bytes": APP_REQUEST_LIMIT,
        "actual_size_bytes": size,
    }
    assert note.runs == 0


@pytest.mark.parametrize("half_close", [True, False])
def test_too_long_without_an_end(server: RunningServer, half_close: bool) -> None:
    sent = padded(APP_REQUEST_LIMIT + 10)[:-1]
    error = decoded(server.exchange(sent, half_close=half_close))["error"]
    assert error["details"]["actual_size_bytes"] == len(sent)


@pytest.mark.parametrize(
    "head",
    [
        b'{"method":"ping"',
        b'{"params":{"method":"app.note"}',
        b'["app.note"',
        b'{"pad":"' + b"x" * 2048 + b'","method":"app.note"',
        b'{"m\\u0065thod":"app.note"',
    ],
)
def test_everything_else_is_held_to_the_older_limit(
    server: RunningServer, note: Notes, head: bytes
) -> None:
    answer = decoded(server.exchange(padded(REQUEST_LIMIT + 1, head)))
    assert (answer["error"]["code"], set(answer)) == ("request_too_large", {"ok", "error"})
    assert note.runs == 0


def test_a_bench_is_refused_a_long_line_before_it_is_kept(
    server: RunningServer, note: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, CONTAINER)
    for line in (padded(200_000), padded(APP_REQUEST_LIMIT + 5)):
        answer = decoded(server.exchange(line))
        assert (answer["error"]["code"], answer["error"]["details"]) == ("host_only", {})
    assert note.runs == 0


@pytest.mark.parametrize("method", ["big", "managed.big", "app.big"])
def test_answers_end_at_eight_mebibytes(
    server: RunningServer, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    envelope = len(server.exchange(ask_for(method, 0)))
    whole = server.exchange(ask_for(method, RESPONSE_LIMIT - envelope))
    assert len(whole) == RESPONSE_LIMIT
    error = decoded(server.exchange(ask_for(method, RESPONSE_LIMIT - envelope + 1)))["error"]
    assert error["code"] == "internal_error"
    assert "longer than 8388608 bytes" in error["message"]
    assert error.get("details", {}) == {}
    assert f"the answer to {method} had 8388609 bytes" in caplog.text


def ask_for(method: str, size: int) -> bytes:
    return json.dumps({"method": method, "params": {"size": size}}).encode() + b"\n"


def test_every_refusal_of_the_framing_has_the_details_of_its_code(server: RunningServer) -> None:
    for line in (b"\n", APP + b"\r\n", padded(APP_REQUEST_LIMIT + 1)):
        error = decoded(server.exchange(line))["error"]
        assert set(ERRORS[error["code"]].__struct_fields__) == set(error["details"])


def test_time_to_send_a_line_of_app(tmp_path: Path) -> None:
    with (
        running_server(tmp_path, limits=Limits(receive_s=0.3)) as server,
        server.connect() as slow,
    ):
        slow.sendall(APP)
        malformed(read_all(slow), "missing newline terminator")


def test_a_sender_without_end_is_answered_all_the_same(tmp_path: Path) -> None:
    """The rest is counted for a moment only."""
    with running_server(tmp_path, limits=Limits(linger_s=0.2)) as server:
        with server.connect() as endless:
            endless.sendall(padded(APP_REQUEST_LIMIT)[:-1])
            with suppress(BrokenPipeError, ConnectionResetError):
                while True:
                    endless.sendall(b"x" * 65536)
            error = decoded(endless.recv(65536, socket.MSG_WAITALL))["error"]
            assert error["code"] == "payload_too_large"
            assert error["details"]["actual_size_bytes"] > APP_REQUEST_LIMIT
        assert server.ask("ping")["ok"] is True
