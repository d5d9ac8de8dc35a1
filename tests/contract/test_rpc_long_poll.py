"""Waiting for news without a thread: ``managed.layout.watch`` and ``managed.event.list``."""

from __future__ import annotations

import json
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from agenttower.rpc.limits import Limits
from agenttower.rpc.method import Call, Pending
from tests.support.rpc_server import (
    FakeServices,
    RunningServer,
    decoded,
    open_method,
    read_all,
    running_server,
)
from tests.support.waiting import wait_until

LAYOUT = "0b8f6c1e-3a52-4d0e-9f57-2f1c6a7d8e90"
PONG = {"ok": True, "result": {}}


@pytest.fixture
def services() -> FakeServices:
    services = FakeServices()
    services.revisions[LAYOUT] = 3
    return services


@pytest.fixture
def server(tmp_path: Path, services: FakeServices) -> Iterator[RunningServer]:
    with running_server(tmp_path, services) as running:
        yield running


def send(connection: socket.socket, method: str, **params: Any) -> None:
    connection.sendall(json.dumps({"method": method, "params": params}).encode() + b"\n")


def watch(connection: socket.socket, after: int, wait: float = 20) -> None:
    send(
        connection,
        "managed.layout.watch",
        layout_id=LAYOUT,
        after_revision=after,
        wait_seconds=wait,
    )


def answered(connection: socket.socket) -> bool:
    return bool(select.select([connection], [], [], 0)[0])


def test_news_is_answered_at_once(server: RunningServer) -> None:
    params = {"layout_id": LAYOUT, "after_revision": 2, "wait_seconds": 20}
    answer = server.ask("managed.layout.watch", params)
    assert answer["result"]["layout"] == {"layout_id": LAYOUT, "revision": 3}


def test_no_wait_asked_is_answered_at_once(server: RunningServer) -> None:
    answer = server.ask("managed.layout.watch", {"layout_id": LAYOUT, "after_revision": 3})
    assert answer["result"]["layout"]["revision"] == 3


def test_waits_for_the_change(server: RunningServer, services: FakeServices) -> None:
    with server.connect() as connection:
        watch(connection, after=3)
        wait_until(lambda: parked(server) == 1, 10, "the request to wait")
        server.server.wake()  # something else changed
        assert server.ask("ping") == PONG
        assert not answered(connection)
        services.revisions[LAYOUT] = 4
        server.server.wake()
        assert decoded(read_all(connection))["result"]["layout"]["revision"] == 4


def test_wait_ends_at_its_time_with_what_there_is(server: RunningServer) -> None:
    with server.connect() as connection:
        watch(connection, after=3, wait=0.2)
        assert decoded(read_all(connection))["result"]["layout"]["revision"] == 3


def test_waiting_clients_hold_no_thread(server: RunningServer, services: FakeServices) -> None:
    with ExitStack() as stack:
        waiting = [stack.enter_context(server.connect()) for _ in range(100)]
        for connection in waiting:
            watch(connection, after=3)
        wait_until(lambda: parked(server) == 100, 20, "all to wait")
        assert server.ask("ping") == PONG
        services.revisions[LAYOUT] = 4
        server.server.wake()
        answers = [decoded(read_all(connection)) for connection in waiting]
    assert {answer["result"]["layout"]["revision"] for answer in answers} == {4}


def test_client_that_leaves_while_waiting_is_freed_at_once(server: RunningServer) -> None:
    with server.connect() as connection:
        watch(connection, after=3)
        wait_until(lambda: parked(server) == 1, 10, "the request to wait")
    wait_until(lambda: server.server.connections == 0, 10, "the connection to be freed")
    assert parked(server) == 0


def test_half_closed_client_goes_on_waiting(server: RunningServer, services: FakeServices) -> None:
    with server.connect() as connection:
        watch(connection, after=3)
        connection.shutdown(socket.SHUT_WR)
        wait_until(lambda: parked(server) == 1, 10, "the request to wait")
        services.revisions[LAYOUT] = 4
        server.server.wake()
        assert decoded(read_all(connection))["result"]["layout"]["revision"] == 4


def test_change_during_the_check_is_not_missed(tmp_path: Path) -> None:
    """The wake-up comes after the handler has looked and before its request is parked."""
    looked, go_on = threading.Event(), threading.Event()
    news = False

    def look(call: Call[object]) -> dict[str, Any] | Pending:
        if news or call.final:
            return {"news": news}
        looked.set()
        assert go_on.wait(10)
        return Pending(call.asked_at + 20)

    with (
        running_server(tmp_path, extra={"look": open_method(look)}) as server,
        server.connect() as connection,
    ):
        send(connection, "look")
        assert looked.wait(10)
        news = True
        server.server.wake()
        go_on.set()
        assert decoded(read_all(connection))["result"] == {"news": True}


def test_burst_of_changes_is_few_rounds(tmp_path: Path) -> None:
    rounds = 0
    over = False

    def look(call: Call[object]) -> dict[str, Any] | Pending:
        nonlocal rounds
        rounds += 1
        return {"over": over} if over or call.final else Pending(call.asked_at + 20)

    limits = Limits(wake_gap_s=0.05)
    with (
        running_server(tmp_path, extra={"look": open_method(look)}, limits=limits) as server,
        server.connect() as connection,
    ):
        send(connection, "look")
        wait_until(lambda: parked(server) == 1, 10, "the request to wait")
        for _ in range(2000):
            server.server.wake()
        over = True
        server.server.wake()
        assert decoded(read_all(connection))["result"] == {"over": True}
    assert rounds < 200


def test_too_many_waiting_are_answered_instead(tmp_path: Path, services: FakeServices) -> None:
    limits = Limits(parked=2)
    with (
        running_server(tmp_path, services, limits=limits) as server,
        server.connect() as one,
        server.connect() as two,
        server.connect() as three,
    ):
        watch(one, after=3)
        watch(two, after=3)
        wait_until(lambda: parked(server) == 2, 10, "two to wait")
        watch(three, after=3)
        assert decoded(read_all(three))["result"]["layout"]["revision"] == 3
        assert not answered(one)


def test_layout_that_goes_away_ends_the_wait(server: RunningServer, services: FakeServices) -> None:
    with server.connect() as connection:
        watch(connection, after=3)
        wait_until(lambda: parked(server) == 1, 10, "the request to wait")
        del services.revisions[LAYOUT]
        server.server.wake()
        error = decoded(read_all(connection))["error"]
    assert error["code"] == "managed_layout_not_found"
    assert error["details"] == {"layout_id": LAYOUT}


def test_handler_that_never_answers_is_internal_error(tmp_path: Path) -> None:
    extra = {"never": open_method(lambda call: Pending(call.asked_at + 0.05))}
    with running_server(tmp_path, extra=extra) as server:
        assert server.error("never")["code"] == "internal_error"


def test_events_wait_for_the_next(server: RunningServer, services: FakeServices) -> None:
    services.events = [{"id": 1}, {"id": 2}]
    page = server.ask("managed.event.list", {"wait_seconds": 20})["result"]
    assert page == {"events": [{"id": 1}, {"id": 2}], "next": 2}
    with server.connect() as connection:
        send(connection, "managed.event.list", after=2, wait_seconds=20)
        wait_until(lambda: parked(server) == 1, 10, "the request to wait")
        services.events.append({"id": 3})
        server.server.wake()
        page = decoded(read_all(connection))["result"]
    assert page == {"events": [{"id": 3}], "next": 3}
    assert server.ask("managed.event.list", {"after": 3})["result"] == {"events": [], "next": 3}


def parked(server: RunningServer) -> int:
    return server.server.waiting
