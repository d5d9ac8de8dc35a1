"""The wire itself: bytes in any pieces over a real socket, and clients that behave like none."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    rule,
    run_state_machine_as_test,
)

from agenttower.rpc.limits import Limits
from tests.fuzz.ground import HOST, Ground, Said
from tests.fuzz.lines import GOOD, lines
from tests.fuzz.oracle import check_answer
from tests.support.rpc_server import RunningServer, read_all, running_server
from tests.support.waiting import wait_until

FUZZ = settings.get_profile("fuzz")
PATIENCE_S = 10.0
SOME_BYTES = st.binary(min_size=1, max_size=30).map(lambda raw: raw.replace(b"\n", b"{"))
IN_PIECES = b'{"method":"managed.pane.list","params":{"limit":3,"state":["ready","failed"]}}\n'
"""Its answer is the same whenever it is asked for."""


@pytest.fixture(scope="module")
def server(ground: Ground) -> Iterator[RunningServer]:
    ground.start_again()
    limits = Limits(connections=40, receive_s=2.0, evictable_after_s=0.2)
    with running_server(
        ground.home.root,
        ground.services,  # type: ignore[arg-type]
        limits=limits,
        on_thread_exit=ground.store.close_thread,
    ) as running:
        yield running


def test_split_at_every_byte(server: RunningServer) -> None:
    whole = server.exchange(IN_PIECES)
    for cut in range(1, len(IN_PIECES)):
        assert in_pieces(server, [IN_PIECES[:cut], IN_PIECES[cut:]]) == whole


def test_cut_short_at_every_byte(server: RunningServer) -> None:
    for cut in range(1, len(IN_PIECES)):
        answer = server.exchange(IN_PIECES[:cut], half_close=True)
        check_answer(b"", Said(answer, True))


def test_any_line_in_any_pieces(ground: Ground, server: RunningServer) -> None:
    """The pieces do not matter: the answer is that of the line, and it is one line."""

    @settings(FUZZ, max_examples=250)
    @given(lines, st.lists(st.integers(0, 70_000), max_size=3))
    def send(line: bytes, cuts: list[int]) -> None:
        whole = line + b"\n"
        places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
        pieces = [whole[start:end] for start, end in pairwise(places)]
        answer = check_answer(line, Said(in_pieces(server, pieces), True))
        expected = check_answer(line, ground.ask(line, HOST))
        assert answer["ok"] == expected["ok"]
        assert answer.get("error") == expected.get("error")

    send()


def test_what_follows_a_request_spoils_no_answer(server: RunningServer) -> None:
    """One connection carries one request, unless the client says otherwise."""

    @settings(FUZZ, max_examples=60)
    @given(st.sampled_from(GOOD), st.lists(lines, min_size=1, max_size=4))
    def send(first: bytes, others: list[bytes]) -> None:
        answer = in_pieces(server, [first + b"\n" + b"\n".join(others) + b"\n"])
        check_answer(first, Said(answer, True))

    send()


def test_one_after_another(server: RunningServer) -> None:
    """Every request that asks to be followed by another is answered, up to the first that does not,
    or that cannot be read."""
    kept = tuple(line[:-1] + b',"keep_open":true}' for line in GOOD)

    @settings(FUZZ, max_examples=60)
    @given(st.lists(st.sampled_from(kept), max_size=6), st.lists(lines, max_size=3))
    def send(first: list[bytes], others: list[bytes]) -> None:
        sent = [*first, *others]
        answer = in_pieces(server, [line + b"\n" for line in sent], half_close=True)
        answers = answer.splitlines(keepends=True)
        assert len(first) <= len(answers) <= len(sent)
        for line, one in zip(sent, answers, strict=False):
            check_answer(line, Said(one, True))

    send()


def in_pieces(server: RunningServer, pieces: list[bytes], *, half_close: bool = False) -> bytes:
    """Everything that comes back. A refusal may come before everything has been sent."""
    with server.connect(PATIENCE_S) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            for piece in pieces:
                connection.sendall(piece)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        return read_all(connection)


class Clients(RuleBasedStateMachine):
    """Clients that are silent, slow, gone or rude, and one who must be answered all the time."""

    server: RunningServer
    opened = Bundle("opened")

    @initialize()
    def begin(self) -> None:
        self.left: list[socket.socket] = []

    @rule(target=opened)
    def come(self) -> socket.socket:
        connection = self.server.connect(PATIENCE_S)
        self.left.append(connection)
        return connection

    @rule(connection=opened, data=SOME_BYTES)
    def send_half_a_request(self, connection: socket.socket, data: bytes) -> None:
        with suppress(OSError):
            connection.sendall(data)

    @rule(connection=consumes(opened), line=st.sampled_from(GOOD))
    def ask_and_be_answered(self, connection: socket.socket, line: bytes) -> None:
        with suppress(BrokenPipeError, ConnectionResetError), connection:
            connection.sendall(line + b"\n")
            answer = read_all(connection)
            assert answer == b"" or answer.endswith(b"\n")

    @rule(connection=consumes(opened), line=st.sampled_from(GOOD))
    def ask_and_go(self, connection: socket.socket, line: bytes) -> None:
        with suppress(OSError), connection:
            connection.sendall(line + b"\n")

    @rule(connection=consumes(opened))
    def reset(self, connection: socket.socket) -> None:
        with connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    @rule(connection=opened)
    def stop_sending(self, connection: socket.socket) -> None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)

    @rule(connection=opened)
    def stop_reading(self, connection: socket.socket) -> None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RD)

    @rule(connection=opened)
    def flood(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        with suppress(OSError):
            for _ in range(8):
                connection.send(b"x" * 65536)
        connection.settimeout(PATIENCE_S)

    @rule(line=st.sampled_from(GOOD))
    def somebody_else_is_answered(self, line: bytes) -> None:
        check_answer(line, Said(self.server.exchange(line + b"\n"), True))

    def teardown(self) -> None:
        for connection in getattr(self, "left", ()):
            connection.close()
        check_answer(GOOD[0], Said(self.server.exchange(GOOD[0] + b"\n"), True))


def test_bad_company(server: RunningServer) -> None:
    server.exchange(GOOD[0] + b"\n")
    wait_until(lambda: server.server.connections == 0, PATIENCE_S, "no connection to be left")
    descriptors = len(os.listdir("/proc/self/fd"))
    Clients.server = server
    run_state_machine_as_test(
        Clients, settings=settings(FUZZ, max_examples=60, stateful_step_count=25)
    )
    wait_until(lambda: server.server.connections == 0, PATIENCE_S, "all connections to be closed")
    assert len(os.listdir("/proc/self/fd")) <= descriptors + Limits().threads
    assert threading.active_count() <= Limits().threads + 8
