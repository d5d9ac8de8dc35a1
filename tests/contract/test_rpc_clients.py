"""Clients that are slow, silent, greedy or gone, and that others do not notice."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from agenttower.rpc.limits import Limits, fitting_descriptors
from agenttower.rpc.method import Call
from tests.support.rpc_server import (
    FakeServices,
    RunningServer,
    decoded,
    open_method,
    read_all,
    running_server,
)
from tests.support.waiting import wait_until

PING = b'{"method":"ping"}\n'
PONG = {"ok": True, "result": {}}


def closed_by_server(connection: socket.socket) -> bool:
    return read_all(connection) == b""


def test_silent_clients_cost_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    with running_server(tmp_path) as server, ExitStack() as stack:
        for number in range(100):
            connection = stack.enter_context(server.connect())
            connection.sendall(b'{"method":'[: number % 10])
        assert [server.ask("ping") for _ in range(50)] == [PONG] * 50
        assert threading.active_count() - before <= 1 + 2


def test_time_to_send_is_limited(tmp_path: Path) -> None:
    """A byte now and then does not extend it."""
    with (
        running_server(tmp_path, limits=Limits(receive_s=0.3)) as server,
        server.connect() as silent,
        server.connect() as slow,
    ):
        slow.sendall(b'{"method"')
        assert closed_by_server(silent)
        assert decoded(read_all(slow))["error"]["code"] == "bad_request"
        assert server.ask("ping") == PONG


def test_client_that_does_not_read_is_dropped(tmp_path: Path) -> None:
    extra = {"big": open_method(lambda _call: {"text": "x" * 4_000_000})}
    limits = Limits(send_s=0.3)
    with running_server(tmp_path, extra=extra, limits=limits) as server:
        with server.connect() as deaf:
            deaf.sendall(b'{"method":"big"}\n')
            assert deaf.recv(1) == b"{"
            wait_until(lambda: not server.server.connections, 10, "the deaf client to be dropped")
            assert 0 < len(read_all(deaf)) < 4_000_000
        assert server.ask("ping") == PONG


def test_disconnect_in_the_middle_of_a_request(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        for sent in (b"", b'{"meth', b'{"method":"ping"}'):
            with server.connect() as connection:
                connection.sendall(sent)
        wait_until(lambda: not server.server.connections, 10, "the connections to be freed")
        assert server.ask("ping") == PONG


def test_disconnect_in_the_middle_of_an_answer(tmp_path: Path) -> None:
    extra = {"big": open_method(lambda _call: {"text": "x" * 4_000_000})}
    with running_server(tmp_path, extra=extra) as server:
        for _ in range(5):
            with server.connect() as connection:
                connection.sendall(b'{"method":"big"}\n')
                assert connection.recv(10) == b'{"ok":true'
        wait_until(lambda: not server.server.connections, 10, "the connections to be freed")
        assert server.ask("ping") == PONG


def test_request_of_a_client_that_has_gone_is_carried_out(tmp_path: Path) -> None:
    """It may have been sent and forgotten; it is freed once it is done."""
    started, release, done = threading.Event(), threading.Event(), threading.Event()

    def slow(_call: Call[object]) -> dict[str, object]:
        started.set()
        assert release.wait(10)
        done.set()
        return {}

    with running_server(tmp_path, extra={"slow": open_method(slow)}) as server:
        with server.connect() as connection:
            connection.sendall(b'{"method":"slow"}\n')
            assert started.wait(10)
        assert server.ask("ping") == PONG
        assert server.server.connections == 1
        release.set()
        assert done.wait(10)
        wait_until(lambda: not server.server.connections, 10, "the request to be forgotten")


def test_many_clients_at_once_are_all_answered(tmp_path: Path) -> None:
    barrier = threading.Barrier(Limits().host.running)

    def meet(_call: Call[object]) -> dict[str, object]:
        barrier.wait(10)
        return {"met": True}

    with running_server(tmp_path, extra={"meet": open_method(meet)}) as server:
        with ExitStack() as stack:
            connections = [stack.enter_context(server.connect()) for _ in range(60)]
            for connection in connections:
                connection.sendall(b'{"method":"meet"}\n')
            answers = [decoded(read_all(connection)) for connection in connections]
        assert answers == [{"ok": True, "result": {"met": True}}] * 60


def test_handlers_never_exceed_the_pool(tmp_path: Path) -> None:
    lock, running, most = threading.Lock(), [0], [0]

    def count(_call: Call[object]) -> dict[str, object]:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        with lock:
            running[0] -= 1
        return {}

    limits = Limits(threads=3)
    with running_server(tmp_path, extra={"count": open_method(count)}, limits=limits) as server:
        with ExitStack() as stack:
            connections = [stack.enter_context(server.connect()) for _ in range(60)]
            for connection in connections:
                connection.sendall(b'{"method":"count"}\n')
            assert all(decoded(read_all(connection))["ok"] for connection in connections)
        assert 1 <= most[0] <= 3


def test_handler_past_its_deadline_is_answered_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    release = threading.Event()

    def stuck(_call: Call[object]) -> dict[str, object]:
        assert release.wait(20)
        return {}

    extra = {"managed.stuck": open_method(stuck, deadline_s=0.2)}
    with running_server(tmp_path, extra=extra, limits=Limits(threads=1)) as server:
        try:
            error = server.error("managed.stuck")
            assert error["code"] == "internal_error"
            assert "may still take effect" in error["message"]
            assert "managed.stuck is still running" in caplog.text
            # Its thread was the only one: the next request is never begun, and says so.
            error = server.error("managed.stuck")
            assert "nothing was done" in error["message"]
            assert "every thread is in use" in caplog.text
        finally:
            release.set()
        assert server.ask("ping") == PONG


def test_request_that_was_given_up_before_it_began_is_never_run(tmp_path: Path) -> None:
    started, release, runs = threading.Event(), threading.Event(), []

    def hold(_call: Call[object]) -> dict[str, object]:
        started.set()
        assert release.wait(20)
        return {}

    def late(_call: Call[object]) -> dict[str, object]:
        runs.append(1)
        return {}

    extra = {"hold": open_method(hold), "late": open_method(late, deadline_s=0.1)}
    with running_server(tmp_path, extra=extra, limits=Limits(threads=1)) as server:
        with server.connect() as holder:
            holder.sendall(b'{"method":"hold"}\n')
            assert started.wait(10)
            assert "nothing was done" in server.error("late")["message"]
            release.set()
            assert decoded(read_all(holder))["ok"] is True
        assert server.ask("ping") == PONG
        assert runs == []


def test_one_process_cannot_use_every_connection(tmp_path: Path) -> None:
    limits = Limits(
        connections=20, host=replace(Limits().host, connections=8), evictable_after_s=60
    )
    with running_server(tmp_path, limits=limits) as server:
        with ExitStack() as stack:
            for _ in range(8):
                stack.enter_context(server.connect())
            with server.connect() as one_more:
                answer = decoded(read_all(one_more))
            error = answer["error"]
            assert (answer["app_contract_version"], error["details"]) == ("1.1", {})
            assert error["code"] == "internal_error"
            assert "too many requests" in error["message"]
            assert ask_from_another_process(server, "ping") == PONG
        wait_until(lambda: not server.server.connections, 10, "the connections to be freed")
        assert server.ask("ping") == PONG


def test_process_full_of_silent_connections_is_still_served(tmp_path: Path) -> None:
    limits = Limits(host=replace(Limits().host, connections=5), evictable_after_s=0.05)
    with running_server(tmp_path, limits=limits) as server, ExitStack() as stack:
        silent = [stack.enter_context(server.connect()) for _ in range(5)]
        before = wait_until(lambda: server.server.connections, 10, "the silent ones")

        def served() -> bool:
            try:
                return server.ask("ping") == PONG
            except BrokenPipeError:
                return False  # turned away before it could ask

        wait_until(served, 10, "its own oldest connection to make room")
        assert closed_by_server(silent[0])
        assert before <= 5


def test_when_full_the_oldest_silent_client_makes_room(tmp_path: Path) -> None:
    limits = Limits(connections=5, evictable_after_s=0.05)
    with running_server(tmp_path, limits=limits) as server, ExitStack() as stack:
        silent = [stack.enter_context(server.connect()) for _ in range(5)]
        assert server.ask("ping") == PONG
        assert closed_by_server(silent[0])
        assert server.server.connections == 4


def test_when_full_of_work_others_wait_their_turn(tmp_path: Path) -> None:
    release = threading.Event()

    def hold(_call: Call[object]) -> dict[str, object]:
        assert release.wait(10)
        return {}

    limits = Limits(connections=2, evictable_after_s=0.01)
    extra = {"hold": open_method(hold)}
    with running_server(tmp_path, extra=extra, limits=limits) as server, ExitStack() as stack:
        connections = [stack.enter_context(server.connect()) for _ in range(4)]
        for connection in connections:
            connection.sendall(b'{"method":"hold"}\n')
        wait_until(lambda: server.server.connections == 2, 10, "both places to be taken")
        wait_until(lambda: not server.server.accepting, 10, "the server to stop accepting")
        release.set()
        assert all(decoded(read_all(connection))["ok"] for connection in connections)


def test_descriptors_running_out_is_survived(tmp_path: Path) -> None:
    """In a process of its own, because the limit is the process's."""
    program = """
import json, os, resource, socket, sys
from pathlib import Path
from tests.support.rpc_server import running_server

with running_server(Path(sys.argv[1])) as server:
    assert server.ask("ping")["ok"]
    used = len(os.listdir("/proc/self/fd"))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 10, hard))
    clients = []
    try:
        while True:
            clients.append(server.connect())
    except OSError:
        pass
    while len(clients) > 2:
        clients.pop().close()
    assert server.ask("ping")["ok"]
    for client in clients:
        client.close()
print("fine")
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "fine\n", done.stderr


def test_connections_leave_descriptors_for_the_rest() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1000, hard))
        assert fitting_descriptors(Limits(connections=1024)).connections == 750
        assert fitting_descriptors(Limits(connections=20)).connections == 20
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("seed", range(5))
def test_clients_that_do_anything(tmp_path: Path, seed: int) -> None:
    """Whatever a crowd of clients does, the next one is served and nothing is left behind."""
    extra = {"big": open_method(lambda _call: {"text": "x" * 1_000_000})}
    limits = Limits(connections=40, receive_s=0.2, send_s=0.2, linger_s=0.1, threads=4)
    watch = b'{"method":"managed.event.list","params":{"wait_seconds":0.1}}\n'
    lines = [PING, b'{"method":"big"}\n', watch, b"\xff\n", b"x" * 70_000, b'{"meth', b"\n"]

    def client(random: Random) -> None:
        for _ in range(15):
            with suppress(OSError), server.connect(timeout=random.choice((0.01, 0.1, 5))) as it:
                for _ in range(random.randint(0, 3)):
                    line = random.choice(lines)
                    it.sendall(
                        line[: random.randint(0, len(line))] if random.random() < 0.3 else line
                    )
                if random.random() < 0.3:
                    it.shutdown(socket.SHUT_WR)
                if random.random() < 0.7:
                    it.recv(random.randint(1, 100_000))

    with running_server(tmp_path, extra=extra, limits=limits) as server:
        crowd = [
            threading.Thread(target=client, args=(Random(seed * 100 + number),))
            for number in range(8)
        ]
        for thread in crowd:
            thread.start()
        for thread in crowd:
            thread.join(60)
        assert not any(thread.is_alive() for thread in crowd)
        assert server.ask("ping") == PONG
        wait_until(lambda: not server.server.connections, 10, "every connection to be freed")
        accounts = server.server._accounts
        wait_until(lambda: not len(accounts), 10, "every peer to be forgotten")
        assert (accounts.foreign, accounts._held_bytes) == (0, 0)


def test_peer_with_another_uid_is_told_so_and_nothing_is_done(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if os.geteuid() != 0:
        pytest.skip("changing the uid needs root")
    services = FakeServices()
    with running_server(tmp_path, services) as server:
        server.path.chmod(0o777)
        for directory in (tmp_path, *tmp_path.parents):
            if directory.stat().st_uid == 0 and directory.stat().st_mode & 0o001 == 0:
                directory.chmod(directory.stat().st_mode | 0o001)
        program = (
            "import os, socket, sys\n"
            "os.setgid(65534); os.setuid(65534)\n"
            "c = socket.socket(socket.AF_UNIX); c.connect(sys.argv[1])\n"
            "print(c.recv(1000).decode())\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(server.path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        answer = json.loads(done.stdout)
        assert (answer["ok"], answer["app_contract_version"]) == (False, "1.1")
        assert (answer["error"]["code"], answer["error"]["details"]) == ("permission_denied", {})
        assert "socket_peer_uid_mismatch peer_uid=65534" in caplog.text
        assert server.ask("ping") == PONG


def ask_from_another_process(server: RunningServer, method: str) -> object:
    program = (
        "import json, sys; from agenttower.client import call;"
        "print(json.dumps({'ok': True, 'result': call(sys.argv[1], sys.argv[2])}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(server.path), method],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)
