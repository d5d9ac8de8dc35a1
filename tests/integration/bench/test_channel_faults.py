"""What breaks under a channel: clients, servers, containers, whole processes; and what follows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from agenttower.bench.interface import PaneSpec
from agenttower.errors import (
    BenchConnectionLost,
    BenchError,
    BenchTimeout,
    ContainerInactive,
    ContainerNotFound,
    SessionNameConflict,
    TmuxCommandFailed,
    TmuxUnavailable,
)
from tests.support.bench_box import Box, soon, token
from tests.support.freezer import freeze, frozen, thaw
from tests.support.waiting import wait_until

CLIENTS = ("list-clients", "-F", "#{client_control_mode} #{client_session} #{client_pid}")


def clients(box: Box) -> list[str]:
    return [line.split()[2] for line in box.tmux(*CLIENTS).splitlines() if line.startswith("1 ")]


def works_again(box: Box, spec: PaneSpec) -> None:
    """The next calls heal the line; only outcomes that say so may come first."""

    def created() -> bool:
        try:
            box.bench.create_pane(spec, soon(5))
        except (BenchConnectionLost, BenchTimeout):
            return False
        return True

    wait_until(created, 30, "the channel to heal")
    assert len(box.marked(spec.token)) == 1


def test_one_client_for_all_calls_and_none_after_close(box: Box) -> None:
    box.layout(3)
    box.bench.find_panes(None, soon())
    assert len(clients(box)) == 1
    box.bench.close()
    wait_until(lambda: clients(box) == [], 10, "the client to go")
    with pytest.raises(BenchConnectionLost):
        box.bench.session_names(soon())


def test_the_client_is_killed_while_idle(box: Box) -> None:
    view = box.create()
    for end in ("detach-client", "kill"):
        before = clients(box)
        if end == "kill":
            box.run("kill", "-9", *before)
        else:
            box.tmux("detach-client", "-s", "agenttower-ctl")
        wait_until(lambda: clients(box) == [], 10, "the client to go")
        assert box.see(view.token) is not None
        assert clients(box) != before


def test_the_tmux_server_is_killed(box: Box) -> None:
    first = box.create()
    for how in (["tmux", "kill-server"], ["pkill", "-9", "-f", "tmux -u -C new-session"]):
        box.run(*how)
        spec = box.spec()
        works_again(box, spec)
        found = box.bench.find_panes(None, soon())
        assert list(found) == [spec.token]
        assert found[spec.token].server_id != first.server_id
        first = found[spec.token]


def test_a_stop_and_a_start_of_the_container(box: Box) -> None:
    first = box.create()
    box.container.kill()
    with pytest.raises(BenchError) as caught:
        wait_until(lambda: box.see(first.token) is None, 10, "an error")
    if isinstance(caught.value, BenchConnectionLost):
        with pytest.raises(ContainerInactive, match="docker start"):
            box.see(first.token)
    box.container.start()
    spec = box.spec()
    works_again(box, spec)
    assert box.see(first.token) is None
    assert box.bench.info.status == "running"


def test_a_container_that_is_removed(box: Box) -> None:
    box.create()
    box.container.remove(force=True)

    def gone() -> bool:
        try:
            box.bench.find_panes(None, soon())
        except ContainerNotFound:
            return True
        except BenchConnectionLost:
            return False
        return False

    wait_until(gone, 10, "the container to be missed")


def test_a_frozen_bench_keeps_deadlines_and_makes_nothing_twice(box: Box) -> None:
    box.create()
    spec = box.spec(session="late", owner=token())
    with frozen(box.container):
        started = time.monotonic()
        with pytest.raises(BenchTimeout):
            box.bench.create_pane(spec, soon(0.5))
        with pytest.raises(BenchTimeout, match="moment ago"):
            box.bench.create_pane(spec, soon(30))
        assert time.monotonic() - started < 10  # far from the 30 s of the second call
    works_again(box, spec)
    assert box.bench.find_panes(None, soon()).keys() >= {spec.token}


def test_a_line_in_flight_is_run_once(box: Box) -> None:
    """The creating line has reached tmux's socket when the bench freezes; then it is repeated."""
    first = box.create()
    spec = box.spec(siblings=[first.token])
    freeze(box.container)
    try:
        caught: list[BaseException] = []

        def attempt() -> None:
            try:
                box.bench.create_pane(spec, soon(1))
            except BenchError as error:
                caught.append(error)

        threads = [threading.Thread(target=attempt) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert [type(error) for error in caught] == [BenchTimeout] * 3
    finally:
        thaw(box.container)
    works_again(box, spec)


def test_opening_on_a_frozen_bench_keeps_its_deadline(box: Box) -> None:
    box.create()
    other = box.reopen("serve", "x")
    try:
        with frozen(box.container), pytest.raises(BenchError):
            other.session_names(soon(0.5))
        wait_until(lambda: not _fails(other.session_names), 30, "the bench to answer")
    finally:
        other.close()


def _fails(call: Callable[[float], object]) -> bool:
    try:
        call(soon())
    except BenchError:
        return True
    return False


SUPERVISOR = """
import os, sys, time
from agenttower.bench.docker_provider import DockerProvider
bench = DockerProvider(sys.argv[1]).open(sys.argv[2], "worker", "abcdef0123")
print(list(bench.session_names(time.monotonic() + 20)), flush=True)
time.sleep(600)
"""


def test_a_supervisor_killed_by_kill_9_leaves_no_client(box: Box) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, box.engine_url, str(box.container.id)],
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"[]\n"
        assert len(clients(box)) == 1
        os.kill(process.pid, signal.SIGKILL)
        wait_until(lambda: clients(box) == [], 10, "its client to go")
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_only_our_own_former_client_is_cleared_away(box: Box) -> None:
    """An engine with live-restore leaves the client of a dead supervisor behind: simulated here
    by a first handle that does not know it is dead."""
    orphan = box.reopen("worker", "aaaa1111")
    others = [box.reopen("serve", "aaaa1111"), box.reopen("worker", "bbbb2222")]
    successor = box.reopen("worker", "aaaa1111")
    try:
        for bench in (orphan, *others):
            bench.session_names(soon())
        before = set(clients(box))
        assert len(before) == 3
        successor.session_names(soon())
        after = set(clients(box))
        assert len(after) == 3
        assert len(before & after) == 2
        for bench in others:
            bench.session_names(soon())
        assert set(clients(box)) == after
    finally:
        for bench in (orphan, *others, successor):
            bench.close()


def test_lines_are_independent(box: Box) -> None:
    """An error ends its own line and no other; nothing waits for a command that failed."""
    view = box.create()
    with pytest.raises(TmuxCommandFailed):
        box.bench._connection.request("kill-pane -t %999 ; kill-server", soon())
    with pytest.raises(TmuxCommandFailed):
        box.bench._connection.request("no-such-command", soon())
    with pytest.raises(TmuxCommandFailed):
        box.bench._connection.request("new-window { unclosed", soon(3))
    for blank in ("", "  ", "a\nb"):
        with pytest.raises(ValueError, match="line"):
            box.bench._connection.request(blank, soon())
    assert box.see(view.token) is not None
    assert len(clients(box)) == 1


def test_tmux_is_missing(box: Box) -> None:
    box.run("rm", "/usr/bin/tmux")
    with pytest.raises(TmuxUnavailable, match="install tmux"):
        box.create()


def test_tmux_is_too_old(box: Box) -> None:
    box.run("sh", "-c", "printf '#!/bin/sh\\n[ \"$1\" = -V ] && echo tmux 3.1c && exit\\n"
            "echo unknown option >&2; exit 1\\n' >/usr/bin/tmux")  # fmt: skip
    with pytest.raises(TmuxUnavailable, match=r"3\.1c"):
        box.create()


def test_tmux_refuses_to_start(box: Box) -> None:
    box.run("sh", "-c", "mkdir -p /tmp/tmux-0; chmod 777 /tmp/tmux-0")
    with pytest.raises(TmuxUnavailable, match="unsafe permissions"):
        box.create()


@pytest.fixture
def without_control_mode(box: Box) -> Box:
    """A tmux that refuses ``-C`` and is itself in all else."""
    box.run("mv", "/usr/bin/tmux", "/usr/bin/tmux-real")
    script = '[ "$2" = -C ] && echo refused >&2 && exit 1; exec tmux-real "$@"'
    box.run("sh", "-c", f"printf '%s\\n' '#!/bin/sh' '{script}' >/usr/bin/tmux")
    box.run("chmod", "+x", "/usr/bin/tmux")
    return box


def test_without_control_mode_all_still_works(without_control_mode: Box) -> None:
    box = without_control_mode
    assert box.bench.session_names(soon()) == []
    assert box.bench.find_panes(None, soon()) == {}
    text = "é'\"\\$;\n{}#(id)"
    spec = box.spec("sh", "-c", 'printf %s "$1"; exit 3', "sh", text, title=f"x{text[:5]}",
                    log_path=str(box.shared / "log"))  # fmt: skip
    first = box.bench.create_pane(spec, soon())
    assert box.bench.create_pane(spec, soon()).pane_id == first.pane_id
    assert first.title == spec.title
    second = box.create(siblings=[first.token])
    assert second.server_id == first.server_id
    assert box.exited(first.token).exit.code == 3  # type: ignore[union-attr]
    box.log_is("log", text.replace("\n", "\r\n").encode())
    assert box.bench.session_names(soon()) == [box.session]
    box.tmux("new-session", "-d", "-s", "theirs")
    with pytest.raises(SessionNameConflict):
        box.create(session="theirs", owner=token())
    assert box.bench.set_title(second.token, "m1", soon())
    assert box.bench.kill_pane(first.token, soon())
    assert list(box.bench.find_panes(None, soon())) == [second.token]
    assert box.bench.bench_uid(soon()) == 0
    assert clients(box) == []
