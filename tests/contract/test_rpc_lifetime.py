"""Lock, socket and pid file of the one front end (legacy surfaces part 1, sections 1 and 2)."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agenttower.client import call
from agenttower.errors import AlreadyRunning, StateRefused
from agenttower.paths import Paths
from agenttower.private import open_private_file, private_directory
from agenttower.rpc.lifetime import Instance
from agenttower.rpc.methods import method_table
from agenttower.rpc.serve import run_server
from agenttower.rpc.server import Server
from tests.support.rpc_server import FakeServices
from tests.support.waiting import wait_until

PROGRAM = """
import sys
from pathlib import Path
from agenttower.errors import AlreadyRunning, StateRefused
from agenttower.paths import Paths
from agenttower.rpc.methods import method_table
from agenttower.rpc.serve import run_server
from agenttower.rpc.server import Server
from tests.support.rpc_server import FakeServices

base = Path(sys.argv[1])
services = FakeServices()
try:
    run_server(
        Paths(base / "config", base / "state", base / "cache"),
        lambda: Server(method_table(services), services.resolve_container),
        on_ready=lambda: print("ready", flush=True),
        on_shutdown=lambda: print("shut down", flush=True),
    )
except AlreadyRunning as error:
    sys.exit(2)
except StateRefused as error:
    sys.exit(1)
"""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return paths_in(tmp_path)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts the front end in a process of its own and waits until it is ready, or has ended."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            process.wait(20)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(20)
        assert process.stdout is not None
        process.stdout.close()


def paths_in(base: Path) -> Paths:
    return Paths(base / "config", base / "state", base / "cache")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_modes_of_all_that_is_made(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        paths = paths_in(tmp_path / "a" / "b")
        with Instance(paths) as instance, instance.listen():
            assert mode(paths.state_dir) == mode(paths.logs_dir) == 0o700
            assert mode(tmp_path / "a") == mode(tmp_path / "a" / "b") == 0o700
            assert mode(paths.socket) == mode(paths.pid_file) == mode(paths.lock_file) == 0o600
            assert paths.pid_file.read_text() == f"{os.getpid()}\n"
    finally:
        os.umask(before)


def test_end_removes_socket_and_pid_file_and_clears_the_lock(paths: Paths) -> None:
    with Instance(paths) as instance, instance.listen():
        assert paths.lock_file.read_text() == f"{os.getpid()}\n"
    assert not paths.socket.exists()
    assert not paths.pid_file.exists()
    assert paths.lock_file.read_text() == ""
    with Instance(paths) as instance, instance.listen():
        pass


def test_second_instance_is_refused_and_touches_nothing(paths: Paths) -> None:
    with Instance(paths) as first, first.listen():
        with pytest.raises(AlreadyRunning, match=rf"pid {os.getpid()}.*agenttower status"):
            Instance(paths)
        assert paths.socket.is_socket()
        assert paths.pid_file.exists()


def test_stale_socket_and_pid_file_are_replaced(paths: Paths) -> None:
    private_directory(paths.state_dir)
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(paths.socket))
    os.close(open_private_file(paths.pid_file))
    paths.pid_file.write_text("999999999\n")
    with Instance(paths) as instance, instance.listen():
        assert paths.pid_file.read_text() == f"{os.getpid()}\n"


@pytest.mark.parametrize("kind", ["file", "directory", "link", "dangling link", "fifo"])
def test_anything_else_in_the_sockets_place_is_refused(paths: Paths, kind: str) -> None:
    private_directory(paths.state_dir)
    match kind:
        case "file":
            paths.socket.write_text("precious")
        case "directory":
            paths.socket.mkdir()
        case "link":
            with socket.socket(socket.AF_UNIX) as other:
                other.bind(str(paths.state_dir / "other"))
            paths.socket.symlink_to(paths.state_dir / "other")
        case "dangling link":
            paths.socket.symlink_to(paths.state_dir / "nothing")
        case "fifo":
            os.mkfifo(paths.socket)
    before = paths.socket.lstat()
    with Instance(paths) as instance, pytest.raises(StateRefused, match="move it away"):
        instance.listen()
    assert paths.socket.lstat() == before


def test_link_in_the_sockets_place_makes_nothing_elsewhere(paths: Paths, tmp_path: Path) -> None:
    private_directory(paths.state_dir)
    paths.socket.symlink_to(tmp_path / "elsewhere")
    with Instance(paths) as instance, pytest.raises(StateRefused):
        instance.listen()
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("wrong", [0o755, 0o750, 0o701, 0o500])
@pytest.mark.parametrize("name", ["state_dir", "logs_dir"])
def test_directory_with_another_mode_is_refused_and_left(
    paths: Paths, name: str, wrong: int
) -> None:
    private_directory(paths.logs_dir)
    directory: Path = getattr(paths, name)
    directory.chmod(wrong)
    with pytest.raises(StateRefused, match=f"chmod 0700 {directory}"):
        Instance(paths)
    assert mode(directory) == wrong
    directory.chmod(0o700)


def test_directory_in_a_set_group_id_directory_is_fine(tmp_path: Path) -> None:
    tmp_path.chmod(0o2700)
    with Instance(paths_in(tmp_path)) as instance, instance.listen():
        assert mode(tmp_path / "state") == 0o2700


@pytest.mark.parametrize("name", ["lock_file", "pid_file"])
def test_file_with_a_wider_mode_is_refused_and_left(paths: Paths, name: str) -> None:
    private_directory(paths.state_dir)
    file: Path = getattr(paths, name)
    file.touch()
    file.chmod(0o644)
    with pytest.raises(StateRefused, match=f"chmod 0600 {file}"), Instance(paths) as instance:
        instance.listen()
    assert mode(file) == 0o644


@pytest.mark.parametrize("name", ["lock_file", "pid_file"])
def test_link_in_the_place_of_a_file_is_refused(paths: Paths, name: str, tmp_path: Path) -> None:
    private_directory(paths.state_dir)
    getattr(paths, name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateRefused), Instance(paths) as instance:
        instance.listen()
    assert not (tmp_path / "elsewhere").exists()


def test_directory_of_another_user_is_refused(paths: Paths) -> None:
    if os.geteuid() != 0:
        pytest.skip("giving a directory away needs root")
    private_directory(paths.state_dir)
    os.chown(paths.state_dir, 65534, 65534)
    with pytest.raises(StateRefused, match="belongs to uid 65534"):
        Instance(paths)


def test_file_in_the_place_of_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(StateRefused):
        Instance(paths_in(tmp_path))


def test_socket_that_is_no_longer_ours_is_left(paths: Paths) -> None:
    with Instance(paths) as instance, instance.listen():
        paths.socket.unlink()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(paths.socket))
    assert paths.socket.is_socket()


def test_path_longer_than_an_address(tmp_path: Path) -> None:
    """Nobody changes directory for it (legacy surfaces, hazard 12)."""
    base = tmp_path.joinpath(*["x" * 100] * 5)
    paths = paths_in(base)
    assert len(str(paths.socket)) > 500
    services = FakeServices()
    where = os.getcwd()
    done = threading.Event()
    server = Server(method_table(services), services.resolve_container)

    def serve() -> None:
        run_server(paths, lambda: server)
        done.set()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        wait_until(lambda: server.accepting, 10, "the server")
        assert call(paths.socket, "ping") == {}
        assert os.getcwd() == where
    finally:
        server.stop()
        thread.join(20)
    assert done.is_set()
    assert not paths.socket.exists()


def test_failed_preparation_leaves_nothing_locked(paths: Paths) -> None:
    shut: list[bool] = []

    def fail() -> Server:
        raise RuntimeError("the database is on fire")

    with pytest.raises(RuntimeError, match="on fire"):
        run_server(paths, fail, on_shutdown=lambda: shut.append(True))
    assert shut == [True]
    assert not paths.socket.exists()
    Instance(paths).close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_stop_it_cleanly(
    daemon: Callable[[], subprocess.Popen[str]], paths: Paths, number: int
) -> None:
    process = daemon()
    assert call(paths.socket, "ping") == {}
    process.send_signal(number)
    assert process.wait(20) == 0
    assert process.stdout is not None
    assert process.stdout.read() == "shut down\n"
    assert not paths.socket.exists()
    assert not paths.pid_file.exists()


def test_shutdown_ends_the_process(
    daemon: Callable[[], subprocess.Popen[str]], paths: Paths
) -> None:
    process = daemon()
    assert call(paths.socket, "shutdown") == {"shutting_down": True}
    assert process.wait(20) == 0
    assert not paths.socket.exists()


def test_second_process_ends_with_2_and_the_first_goes_on(
    daemon: Callable[[], subprocess.Popen[str]], paths: Paths
) -> None:
    first = daemon()
    second = daemon()
    assert second.returncode == 2
    assert paths.pid_file.read_text() == f"{first.pid}\n"
    assert call(paths.socket, "ping") == {}


def test_killed_process_leaves_nothing_in_the_way(
    daemon: Callable[[], subprocess.Popen[str]], paths: Paths
) -> None:
    first = daemon()
    first.kill()
    first.wait(20)
    assert paths.socket.is_socket()
    second = daemon()
    assert second.poll() is None
    assert paths.pid_file.read_text() == f"{second.pid}\n"
    assert call(paths.socket, "ping") == {}


def test_of_many_started_at_once_exactly_one_serves(tmp_path: Path, paths: Paths) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    processes = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(4)
    ]
    try:
        wait_until(lambda: sum(p.poll() is not None for p in processes) == 3, 30, "three to end")
        assert sorted(p.poll() or 0 for p in processes) == [0, 2, 2, 2]
        assert call(paths.socket, "shutdown") == {"shutting_down": True}
        wait_until(lambda: all(p.poll() is not None for p in processes), 20, "the last to end")
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.wait(20)
