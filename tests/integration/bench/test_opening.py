"""Opening, holding and ending clients while the bench is busy: tmux must survive it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from agenttower.bench.interface import PaneView
from agenttower.bench.registry import Benches
from agenttower.bench.tmux_bench import TmuxBench
from agenttower.bench.wrapper import EXIT_SIGNAL
from agenttower.errors import BenchConnectionLost, BenchTimeout
from tests.support.bench_box import Box, soon, token
from tests.support.freezer import frozen
from tests.support.waiting import wait_until

CHURN_SECONDS = 6

# A process that comes and goes, as a front end that is restarted does.
OPENER = """
import sys, time
from contextlib import closing
from pathlib import Path
from agenttower.bench.docker_provider import DockerProvider
from agenttower.bench.interface import PaneView
from agenttower.bench.registry import Benches
url, bench_id, locks, seconds = sys.argv[1:]
end = time.monotonic() + float(seconds)
opened = 0
while time.monotonic() < end:
    with closing(Benches([DockerProvider(url)], "serve", "abcd", Path(locks))) as benches:
        benches.get(bench_id).session_names(time.monotonic() + 20)
    opened += 1
print(opened)
"""


def server(box: Box) -> str:
    return box.tmux("display-message", "-p", "#{pid} #{start_time}")


def clients(box: Box) -> list[str]:
    return box.tmux("list-clients", "-F", "#{client_pid}").split()


def test_opening_clients_while_sessions_and_panes_come_and_go(box: Box, tmp_path: Path) -> None:
    """Two processes at it. Without the lock the server is dead within seconds."""
    locks = tmp_path / "locks"
    with closing(Benches([box.provider], "worker", "abcd", locks)) as benches:
        bench = benches.get(str(box.container.id))
        assert isinstance(bench, TmuxBench)
        bench.session_names(soon())
        before = server(box)
        opener = subprocess.Popen(
            [sys.executable, "-c", OPENER, box.engine_url, str(box.container.id), str(locks),
             str(CHURN_SECONDS)],
            stdout=subprocess.PIPE,
        )  # fmt: skip
        made = 0
        restless = "new-session -d -s x -- sleep 9 ; kill-session -t =x:"
        with opener:
            try:
                while opener.poll() is None:
                    for _ in range(30):
                        bench._connection.request(restless, soon(), disturbs=True)
                    first = box.spec(session=f"s{made}", owner=token())
                    second = box.spec(owner=first.owner, siblings=[first.token])
                    for spec in (first, second):
                        bench.create_pane(spec, soon())
                    for spec in (first, second):
                        bench.kill_pane(spec.token, soon())
                    made += 1
                assert opener.stdout is not None
                opened = int(opener.stdout.read())
            finally:
                opener.kill()
        assert server(box) == before
        assert opened > 3
        assert made > 3


def test_a_waiter_keeps_its_client_for_as_long_as_it_waits(box: Box) -> None:
    view = box.create("sh", "-c", "read x; exit 3")
    watch = box.bench.watch_exits()
    try:
        assert not watch.wait(soon(0.3))
        before = set(clients(box))
        assert len(before) == 2
        for _ in range(5):
            assert not watch.wait(soon(0.05))
        assert set(clients(box)) == before
        box.tmux("send-keys", "-t", view.pane_id, "x", "Enter")
        assert watch.wait(soon())
        assert not watch.wait(soon(0.1))
        assert set(clients(box)) == before
    finally:
        watch.close()
    with pytest.raises(BenchConnectionLost):
        watch.wait(soon())


def test_an_armed_waiter_misses_nothing_though_a_dead_one_still_waits(box: Box) -> None:
    """As after a worker was killed: the waiter it left takes the signal with it."""
    view = box.create("sh", "-c", "read x; exit 3")
    left = box.container.client.api
    exec_id = left.exec_create(box.container.id, ["tmux", "wait-for", EXIT_SIGNAL])["Id"]
    left.exec_start(exec_id, detach=True)
    wait_until(lambda: "wait-for" in box.run("ps", "-eo", "args"), 10, "a waiter that is left")
    with closing(box.bench.watch_exits()) as watch:
        watch.arm(soon())
        box.tmux("send-keys", "-t", view.pane_id, "x", "Enter")
        wait_until(lambda: box.exited(view.token).exit is not None, 10, "the program to end")
        wait_until(
            lambda: not left.exec_inspect(exec_id)["Running"], 10, "the other waiter to have it"
        )
        assert watch.wait(soon())


def test_a_waiter_outlives_a_frozen_bench(box: Box) -> None:
    view = box.create("sh", "-c", "read x; exit 3")
    with closing(box.bench.watch_exits()) as watch:
        assert not watch.wait(soon(0.3))
        before = set(clients(box))
        with frozen(box.container):
            assert not watch.wait(soon(0.3))
        box.tmux("send-keys", "-t", view.pane_id, "x", "Enter")
        assert watch.wait(soon())
        assert set(clients(box)) == before


def test_a_waiter_is_told_of_a_new_server(box: Box) -> None:
    box.create()
    with closing(box.bench.watch_exits()) as watch:
        assert not watch.wait(soon(0.3))
        box.run("pkill", "-9", "-f", "tmux -u -C new-session")
        with pytest.raises(BenchConnectionLost):
            watch.wait(soon())

        def create() -> PaneView | None:
            # Commands have a client of their own, whose end may be noticed only when it is used.
            try:
                return box.create("sh", "-c", "sleep 0.5; exit 1")
            except BenchConnectionLost:
                return None

        view = wait_until(create, 10, "a client that lives")
        assert watch.wait(soon())
        assert box.exited(view.token).exit is not None


def test_closing_ends_a_wait_and_sees_the_client_gone(box: Box) -> None:
    box.create()
    watch = box.bench.watch_exits()
    assert not watch.wait(soon(0.3))
    failed: list[BaseException] = []

    def wait() -> None:
        try:
            watch.wait(soon(30))
        except BenchConnectionLost as error:
            failed.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    watch.close()
    thread.join(10)
    assert not thread.is_alive()
    assert len(failed) == 1
    assert len(clients(box)) == 1
    box.bench.close()
    assert clients(box) == []


def test_closing_does_not_wait_for_a_frozen_bench(box: Box) -> None:
    box.create()
    with frozen(box.container):
        started = time.monotonic()
        box.bench.close()
        assert time.monotonic() - started < 10
    wait_until(lambda: clients(box) == [], 10, "the client to go")


@pytest.mark.parametrize("image", ["bookworm", "trixie"])
def test_a_slow_start_takes_what_the_deadline_allows(
    make_box: Callable[..., Box], image: str
) -> None:
    box = make_box(image, tmux_conf="run-shell 'sleep 2'")
    with pytest.raises(BenchTimeout):
        box.bench.session_names(soon(0.7))
    wait_until(lambda: answers(box), 20, "the server")
    assert box.create().session_name == box.session


def answers(box: Box) -> bool:
    try:
        box.bench.session_names(soon())
    except BenchTimeout:
        return False
    return True


def test_handles_on_removed_containers_leave_nothing_open(
    make_box: Callable[..., Box], tmp_path: Path
) -> None:
    stays, *others = [make_box() for _ in range(4)]
    with closing(Benches([stays.provider], "serve", "abcd", tmp_path / "locks")) as benches:
        kept = benches.get(str(stays.container.id))
        kept.session_names(soon())
        for box in others:
            before = open_files()
            benches.get(str(box.container.id)).session_names(soon())
            assert open_files() == before + 1
            box.container.kill()
            before = open_files()
            benches.prune([str(stays.container.id), "f" * 64])
            assert open_files() == before - 1
        assert benches.get(str(stays.container.id)) is kept
        assert kept.session_names(soon()) == []
        before = open_files()
        benches.prune([])
        assert open_files() == before - 1


def test_a_channel_that_has_ended_lets_its_socket_go(box: Box) -> None:
    box.bench.session_names(soon())
    channel = box.bench._connection._channel
    assert channel is not None
    held = open_files()
    box.tmux("kill-server")
    wait_until(lambda: not channel.alive(), 10, "the channel to end")
    assert open_files() < held


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))
