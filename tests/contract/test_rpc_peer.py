"""R12 on real processes: the kernel tells who asks, and nothing a client writes changes it."""

from __future__ import annotations

import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from docker.errors import NotFound
from docker.models.containers import Container
from docker.types import Mount

from agenttower.rpc import peer as peer_module
from agenttower.rpc.method import Call, Gate, Method
from agenttower.rpc.peer import Peer, Sight, identify, may_be_another
from agenttower.rpc.schemas import NoParams, lenient
from tests.support.docker import DockerEngine
from tests.support.rpc_server import FakeServices, RunningServer, running_server
from tests.support.waiting import wait_until

INSIDE = "/at"
CLIENT = """
import os, socket, sys, time
directory, wait = sys.argv[1], len(sys.argv) > 2
if wait:
    open(os.path.join(directory, "waiting"), "w").write("here")
    until = time.monotonic() + 30
    while not os.path.exists(os.path.join(directory, "go")) and time.monotonic() < until:
        time.sleep(0.01)
client = socket.socket(socket.AF_UNIX)
client.settimeout(30)
client.connect(os.path.join(directory, "agenttowerd.sock"))
client.sendall(b'{"method":"whoami"}\\n')
print(client.recv(4096).decode())
"""


def whoami(call: Call[NoParams]) -> dict[str, Any]:
    return {"kind": call.caller.kind, "container_id": call.caller.container_id}


@pytest.fixture
def services() -> FakeServices:
    return FakeServices()


@pytest.fixture
def server(tmp_path: Path, services: FakeServices) -> Iterator[RunningServer]:
    extra = {"whoami": Method(lenient(NoParams), whoami, Gate.KNOWN)}
    with running_server(tmp_path, services, extra) as running:
        yield running


Start = Callable[..., Container]


@pytest.fixture
def start(docker_engine: DockerEngine, run_prefix: str, tmp_path: Path) -> Iterator[Start]:
    """Starts a container with the socket's directory mounted, and any option of the engine."""
    if os.geteuid() != 0:
        pytest.skip("the client in the container is root, so the server must be root too")
    made: list[Container] = []

    def start(**options: Any) -> Container:
        container = docker_engine.client.containers.create(
            docker_engine.image("bookworm"),
            ["sleep", "600"],
            name=f"{run_prefix}-bench{len(made)}",
            mounts=[Mount(INSIDE, str(tmp_path), type="bind")],
            network_mode="none",
            **options,
        )
        made.append(container)
        container.start()
        return container

    yield start
    for container in made:
        with suppress(NotFound):
            container.remove(force=True, v=True)


def ask_in(container: Container, **options: Any) -> dict[str, Any]:
    """What the server answers to a process in the container."""
    done = container.exec_run(["python3", "-c", CLIENT, INSIDE], **options)
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.output))


def is_bench(container: Container) -> dict[str, Any]:
    return {"ok": True, "result": {"kind": "bench", "container_id": container.id}}


def is_refused(answer: dict[str, Any]) -> bool:
    return answer["ok"] is False and answer["error"]["code"] == "host_only"


# --- the host ----------------------------------------------------------------------------------


def test_process_of_the_host(server: RunningServer) -> None:
    """This machine may have marker files and odd cgroups; they prove nothing."""
    assert server.ask("whoami")["result"] == {"kind": "host", "container_id": None}


@pytest.mark.parametrize("how", [["--mount"], ["--pid", "--fork"], ["--mount", "--pid", "--fork"]])
def test_process_in_other_namespaces_is_not_the_host(
    server: RunningServer, tmp_path: Path, how: list[str]
) -> None:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("making namespaces needs root and unshare")
    done = subprocess.run(
        ["unshare", *how, sys.executable, "-c", CLIENT, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert is_refused(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("how", "kind"), [(["--mount"], "host"), (["--mount", "--pid", "--fork"], "refused")]
)
def test_a_rule_for_a_daemon_with_mounts_of_its_own(
    tmp_path: Path, how: list[str], kind: str
) -> None:
    """Seen from the daemon, every client has other mounts then."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("making namespaces needs root and unshare")
    extra = {"whoami": Method(lenient(NoParams), whoami, Gate.KNOWN)}
    with running_server(tmp_path, FakeServices(), extra, host_rule="same_pid_namespace"):
        done = subprocess.run(
            ["unshare", *how, sys.executable, "-c", CLIENT, str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    answer = json.loads(done.stdout)
    assert (answer["result"]["kind"] if answer["ok"] else "refused") == kind


def test_before_linux_6_5_a_pid_may_belong_to_another_by_now() -> None:
    """Who was there before the client connected is the client; who came later may not be."""
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    pid = os.getpid()
    assert not may_be_another(pid, quiet_at=now)
    round_s = int(Path("/proc/sys/kernel/pid_max").read_text()) / 100_000
    with subprocess.Popen(["sleep", "60"]) as young:
        try:
            assert not may_be_another(young.pid, now)  # too soon for the pids to have gone round
            assert may_be_another(young.pid, now - round_s - 1)
            assert not may_be_another(pid, time.clock_gettime(time.CLOCK_BOOTTIME))
        finally:
            young.kill()
    assert may_be_another(young.pid, now)


def test_a_peer_is_counted_by_what_it_is() -> None:
    chain = ("a" * 64,)
    assert Peer(7, 0, Sight()).key == "process 7"
    assert Peer(7, 0, Sight(frozenset({chain}))).key == Peer(8, 0, Sight(frozenset({chain}))).key
    disagreeing = frozenset({chain, ("b" * 64, "c" * 64)})
    assert Peer(7, 0, Sight(disagreeing)).key == f"container {'a' * 64}"
    assert Peer(7, 0, Sight(unclear="x")).key == Peer(8, 0, Sight(unclear="y")).key == "unknown"


def test_process_that_has_exited_is_not_identified(server: RunningServer, tmp_path: Path) -> None:
    """It connected and left its connection to a child: the child is not who connected."""
    program = (
        "import os, socket, sys, time\n"
        "c = socket.socket(socket.AF_UNIX); c.connect(sys.argv[1] + '/agenttowerd.sock')\n"
        "parent = os.getpid()\n"
        "if os.fork():\n"
        "    os._exit(0)\n"
        "while os.getppid() == parent:\n"
        "    time.sleep(0.005)\n"
        'c.sendall(b\'{"method":"whoami"}\\n\'); print(c.recv(4096).decode())\n'
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert is_refused(json.loads(done.stdout))


def test_pid_of_somebody_else_is_not_taken_for_the_peer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The pid lives, but what connected is dead: a pid that was used again."""
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pidfd = os.pidfd_open(dead.pid)
        dead.wait(30)
    peer = Peer(os.getpid(), os.geteuid(), Sight(), pidfd)
    with monkeypatch.context() as patch, socket.socket() as unused:
        patch.setattr(peer_module, "kernel_gives_peer_pidfd", lambda: False)
        there = peer.is_there(unused)
    peer.close()
    caller = identify(peer, lambda _ref: None, is_there=there)
    assert (caller.kind, caller.reason) == ("unknown", "the process has exited")


def test_peer_that_the_kernel_does_not_show() -> None:
    with socket.socket(socket.AF_UNIX) as nobody:
        peer = Peer.of(nobody)
        assert not peer.is_there(nobody)
    assert (peer.key, peer.sight.kind) == ("unknown", "unknown")
    assert identify(peer, lambda _ref: None, is_there=False).kind == "unknown"


def test_kernel_that_cannot_name_the_peers_process(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Linux 6.5 the process is pinned when it is accepted."""
    monkeypatch.setattr(peer_module, "kernel_gives_peer_pidfd", lambda: False)
    assert server.ask("whoami")["result"]["kind"] == "host"
    wait_until(lambda: not server.server.connections, 10, "the connection to be freed")
    before = len(os.listdir("/proc/self/fd"))
    assert server.ask("ping")["ok"] is True
    for _ in range(10):
        server.connect().close()
    wait_until(lambda: not server.server.connections, 10, "the connections to be freed")
    wait_until(lambda: len(os.listdir("/proc/self/fd")) <= before, 10, "the pidfds to be closed")


# --- benches -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cgroupns": "host"},
        {"cgroupns": "private"},
        {"pid_mode": "host"},
        {"pid_mode": "host", "cgroupns": "host"},
        {"pid_mode": "host", "cgroupns": "private"},
        {"ipc_mode": "host", "uts_mode": "host"},
    ],
    ids=lambda options: "-".join(f"{key}={value}" for key, value in options.items()) or "plain",
)
def test_bench_is_its_container(
    server: RunningServer, services: FakeServices, start: Start, options: dict[str, Any]
) -> None:
    container = start(**options)
    services.containers = {container.id: container.name}
    assert ask_in(container) == is_bench(container)


def test_what_a_container_says_of_itself_does_not_count(
    server: RunningServer, services: FakeServices, start: Start
) -> None:
    victim = start()
    liar = start(hostname=victim.id[:12])
    services.containers = {victim.id: victim.name, liar.id: liar.name}
    pretence = {
        "HOSTNAME": victim.id[:12],
        "AGENTTOWER_CONTAINER_ID": victim.id,
        "container": "",
    }
    assert ask_in(liar, environment=pretence) == is_bench(liar)
    done = liar.exec_run(["sh", "-c", "rm -f /.dockerenv /run/.containerenv"])
    assert done.exit_code == 0
    assert ask_in(liar) == is_bench(liar)


@pytest.mark.parametrize("options", [{}, {"pid_mode": "host"}])
def test_container_that_is_not_registered_is_refused(
    server: RunningServer, services: FakeServices, start: Start, options: dict[str, Any]
) -> None:
    stranger, other = start(**options), start()
    services.containers = {other.id: other.name}
    assert is_refused(ask_in(stranger))
    # A name that looks like its id does not register it.
    services.containers = {other.id: stranger.id}
    assert is_refused(ask_in(stranger))


def test_group_made_inside_a_container_does_not_change_whose_it_is(
    server: RunningServer, services: FakeServices, start: Start, tmp_path: Path
) -> None:
    victim, liar = start(), start()
    services.containers = {victim.id: victim.name, liar.id: liar.name}
    with nested_client(liar, tmp_path, victim.id) as answer:
        assert is_refused(answer())
    services.containers = {liar.id: liar.name}
    with nested_client(liar, tmp_path, "f" * 64) as answer:
        assert answer() == is_bench(liar)
    services.containers = {victim.id: victim.name}
    with nested_client(liar, tmp_path, f"docker-{victim.id}.scope") as answer:
        assert is_refused(answer())


@contextmanager
def nested_client(
    container: Container, directory: Path, group: str
) -> Iterator[Callable[[], dict[str, Any]]]:
    """A client in a control group named ``group`` inside the container's own."""
    waiting, go, said = (directory / name for name in ("waiting", "go", "said"))
    script = f'exec python3 -c "$CLIENT" {INSIDE} wait >{INSIDE}/said'
    container.exec_run(["sh", "-c", script], detach=True, environment={"CLIENT": CLIENT})
    groups: list[Path] = []
    try:
        wait_until(waiting.exists, 20, "the client to wait")
        pid = process_in(container, b"wait")
        groups = move_into_new_groups(pid, group)

        def answer() -> dict[str, Any]:
            go.touch()
            wait_until(lambda: "}" in said.read_text(), 20, "the client to be answered")
            return dict(json.loads(said.read_text()))

        yield answer
    finally:
        go.touch()
        for made in groups:
            wait_until(functools.partial(removed, made), 20, f"{made} to be removable")
        for file in (waiting, go, said):
            file.unlink(missing_ok=True)


def process_in(container: Container, argument: bytes) -> int:
    """The pid, as seen from here, of the container's process with that argument."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            ours = container.id in (process / "cgroup").read_text()
            if ours and argument in (process / "cmdline").read_bytes().split(b"\0"):
                return int(process.name)
    raise AssertionError(f"no process of {container.name} with argument {argument!r}")


def move_into_new_groups(pid: int, name: str) -> list[Path]:
    """Make a group inside each of the process's own and move it there, where that is possible."""
    roots = cgroup_mounts()
    made = []
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in roots or path == "/":
            continue
        group = Path(f"{roots[controllers]}{path}") / name
        group.mkdir()
        made.append(group)
        with suppress(OSError):  # a new group of "cpuset" takes nobody before it is set up
            (group / "cgroup.procs").write_text(str(pid))
    assert name in Path(f"/proc/{pid}/cgroup").read_text()
    return made


def cgroup_mounts() -> dict[str, str]:
    """Where each hierarchy of ``/proc/<pid>/cgroup`` is mounted."""
    mounts: dict[str, str] = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _source, options = rest.split(" ", 2)
        if kind == "cgroup2":
            mounts[""] = fields.split()[4]
        elif kind == "cgroup":
            controllers = [option for option in options.split(",") if option not in ("rw", "ro")]
            mounts[",".join(controllers)] = fields.split()[4]
    return mounts


def removed(group: Path) -> bool:
    with suppress(FileNotFoundError):
        try:
            group.rmdir()
        except OSError:
            return False
    return True
