"""Several requests on one connection, for clients that say so (additive)."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agenttower.rpc.limits import Limits
from agenttower.rpc.method import Call, Gate, Method
from tests.support.rpc_server import (
    RunningServer,
    decoded,
    open_method,
    read_all,
    running_server,
)
from tests.support.waiting import wait_until

PONG = {"ok": True, "result": {}}
LAST = b'{"method":"ping"}\n'
KEPT = b'{"method":"ping","keep_open":true}\n'


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path, limits=Limits(threads=2)) as running:
        yield running


def answers(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def test_one_after_another(server: RunningServer) -> None:
    with server.connect() as connection, connection.makefile("rb") as lines:
        for _ in range(20):
            connection.sendall(KEPT)
            assert json.loads(lines.readline()) == PONG
        assert server.server.connections == 1
        connection.sendall(LAST + KEPT)
        assert lines.read() == b'{"ok":true,"result":{}}\n'


def test_sent_ahead_they_are_answered_in_order(tmp_path: Path) -> None:
    def echo(call: Call[Any]) -> dict[str, Any]:
        return {"number": call.params["number"]}

    method = Method(lambda params: params, echo, Gate.OPEN)
    with running_server(tmp_path, extra={"echo": method}) as server:
        lines = b"".join(
            b'{"method":"echo","params":{"number":%d},"keep_open":true}\n' % number
            for number in range(3000)
        )
        with server.connect() as connection:
            sender = threading.Thread(target=connection.sendall, args=(lines + LAST,))
            sender.start()
            told = answers(read_all(connection))
            sender.join(10)
    assert [one["result"].get("number") for one in told] == [*range(3000), None]


@pytest.mark.parametrize("value", [b"false", b"1", b'"true"', b"null", b"[]"])
def test_nothing_but_true_keeps_it_open(server: RunningServer, value: bytes) -> None:
    assert answers(server.exchange(b'{"method":"ping","keep_open":%s}\n' % value + KEPT)) == [PONG]


def test_a_refusal_of_a_readable_request_keeps_it_open(server: RunningServer) -> None:
    refused = [
        b'{"method":"nope","keep_open":true}\n',
        b'{"method":"ping","params":[],"keep_open":true}\n',
        b'{"method":"managed.layout.detail","keep_open":true}\n',
        b'{"method":"app.nope","keep_open":true}\n',
        b'{"method":"app.readiness","keep_open":true}\n',
    ]
    told = answers(server.exchange(b"".join([*refused, LAST])))
    codes = [one["error"]["code"] if "error" in one else "" for one in told]
    assert codes == [
        "unknown_method",
        "bad_request",
        "validation_failed",
        "unknown_method",
        codes[4],
        "",
    ]


@pytest.mark.parametrize("line", [b"\xff\n", b"{}\n", b"\n", b"x" * 70_000])
def test_a_line_that_cannot_be_read_ends_it(server: RunningServer, line: bytes) -> None:
    told = answers(server.exchange(KEPT + line + LAST))
    assert told[0] == PONG
    assert [one["ok"] for one in told] == [True, False]


def test_thousands_of_refusals_sent_ahead(server: RunningServer) -> None:
    """They are answered without a thread, and never one inside another."""
    line = b'{"method":"x","keep_open":true}\n'
    with server.connect() as connection:
        sender = threading.Thread(target=connection.sendall, args=(line * 5000 + LAST,))
        sender.start()
        assert server.ask("ping") == PONG
        told = answers(read_all(connection))
        sender.join(10)
    assert len(told) == 5001
    assert told[-1] == PONG


def test_the_end_of_sending_ends_it(server: RunningServer) -> None:
    assert answers(server.exchange(KEPT * 3, half_close=True)) == [PONG] * 3
    told = answers(server.exchange(KEPT + b'{"method"', half_close=True))
    assert [one["ok"] for one in told] == [True, False]
    wait_until(lambda: not server.server.connections, 10, "the connections to be freed")


def test_silence_ends_it_and_a_begun_request_has_the_usual_time(tmp_path: Path) -> None:
    limits = Limits(idle_s=0.3, receive_s=0.3)
    with running_server(tmp_path, limits=limits) as server:
        assert answers(server.exchange(KEPT)) == [PONG]
        with server.connect() as slow:
            slow.sendall(KEPT + b'{"method"')
            told = answers(read_all(slow))
    assert [one["ok"] for one in told] == [True, False]


def test_an_idle_connection_makes_room(tmp_path: Path) -> None:
    limits = Limits(connections=1, evictable_after_s=0.05)
    with running_server(tmp_path, limits=limits) as server, server.connect() as idle:
        idle.sendall(KEPT)
        assert idle.recv(1000) == b'{"ok":true,"result":{}}\n'
        assert server.ask("ping") == PONG
        assert read_all(idle) == b""


def test_each_request_waits_for_news_by_itself(server: RunningServer) -> None:
    wait = b'{"method":"managed.event.list","params":{"wait_seconds":0.1},"keep_open":true}\n'
    told = answers(server.exchange(wait * 2 + LAST))
    assert [one["ok"] for one in told] == [True] * 3


def test_a_client_that_leaves_with_requests_sent_ahead(server: RunningServer) -> None:
    with server.connect() as connection:
        connection.sendall(KEPT * 100)
    wait_until(lambda: not server.server.connections, 10, "the connection to be freed")
    assert server.ask("ping") == PONG


def test_stopping_ends_it_after_the_answer(tmp_path: Path) -> None:
    started, release = threading.Event(), threading.Event()

    def slow(_call: Call[object]) -> dict[str, object]:
        started.set()
        assert release.wait(10)
        return {}

    with running_server(tmp_path, extra={"slow": open_method(slow)}) as server:
        with server.connect() as idle, server.connect() as busy:
            idle.sendall(KEPT)
            assert idle.recv(1000)
            busy.sendall(b'{"method":"slow","keep_open":true}\n' + KEPT)
            assert started.wait(10)
            server.server.stop()
            assert read_all(idle) == b""
            release.set()
            assert decoded(read_all(busy)) == PONG
        assert server.ended()


def test_shutdown_is_the_last_request_whatever_it_says(server: RunningServer) -> None:
    told = server.exchange(b'{"method":"shutdown","keep_open":true}\n' + KEPT)
    assert decoded(told)["result"] == {"shutting_down": True}
    assert server.ended()
