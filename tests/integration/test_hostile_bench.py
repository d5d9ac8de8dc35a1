"""Benches that try: root in a real container, our uid, our socket mounted (R12).

What an honest bench may do is in ``test_bench_clients.py``, how peers are told apart in
``tests/contract/test_rpc_peer.py``. What is not protected from is in docs/security.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from docker.models.containers import Container

from agenttower.client import call
from agenttower.rpc.methods import method_table
from tests.support import module_tower
from tests.support.docker import BenchFactory
from tests.support.layouts import create, our_panes, settled
from tests.support.tower import Tower
from tests.support.waiting import wait_until

state_home, bench_factory, tower = (
    module_tower.state_home,
    module_tower.bench_factory,
    module_tower.tower,
)

SOCKET = "/run/agenttower/agenttowerd.sock"
SHARED = "/shared"
ASK = """
import socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.settimeout(30)
connection.connect(sys.argv[1])
lines = connection.makefile("rwb")
for request in sys.stdin.buffer.read().splitlines():
    lines.write(request + b"\\n")
    lines.flush()
    sys.stdout.write(lines.readline().decode())
"""
Request = tuple[str, dict[str, Any]]


def lines_of(requests: list[Request]) -> str:
    return "\n".join(
        json.dumps({"method": method, "params": params, "keep_open": True})
        for method, params in requests
    )


def ask(
    bench: Container, *requests: Request, enter: str = "", environ: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """What a client in the bench is answered, all on one connection.

    :param enter: a command that runs the client, e.g. in other namespaces.
    """
    python = f'{enter} python3 -c "$ASK" {SOCKET if not enter else "$HOST_SOCKET"}'
    done = bench.exec_run(
        ["sh", "-c", f'printf "%s\\n" "$REQUESTS" | {python}'],
        environment={"ASK": ASK, "REQUESTS": lines_of(list(requests)), **(environ or {})},
    )
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.output.splitlines()]


def run_in(bench: Container, program: str, *arguments: str) -> list[str]:
    """The lines that a Python program in the bench prints."""
    done = bench.exec_run(["python3", "-c", program, SOCKET, *arguments])
    assert done.exit_code == 0, done.output
    return cast(list[str], done.output.decode().splitlines())


def start(tower: Tower, factory: BenchFactory, shared: Path, **options: Any) -> Container:
    return factory(mounts={tower.socket_path: SOCKET, shared: SHARED}, **options)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that both containers have."""
    directory = tmp_path_factory.mktemp("shared").resolve()
    directory.chmod(0o777)
    return directory


@pytest.fixture(scope="module")
def victim(tower: Tower, bench_factory: BenchFactory, shared: Path) -> Container:
    bench = start(tower, bench_factory, shared)
    tower.result("scan_containers")
    layout = create(tower, bench, session="theirs", label_prefix="v-")["layout_id"]
    assert settled(tower, layout)["state"] in ("ready", "degraded")
    return bench


@pytest.fixture(scope="module")
def liar(tower: Tower, bench_factory: BenchFactory, shared: Path, victim: Container) -> Container:
    """It calls itself by the other's id wherever a container may: host name, name, environment."""
    victim_id = str(victim.id)
    bench = start(
        tower,
        bench_factory,
        shared,
        name_suffix=f"-{victim_id[:12]}",
        env={"AGENTTOWER_CONTAINER_ID": victim_id, "HOSTNAME": victim_id[:12]},
        hostname=victim_id[:12],
    )
    tower.result("scan_containers")
    return bench


def attacks(tower: Tower, victim: Container) -> list[Request]:
    """Everything that names something of the victim's, whatever else the request would need."""
    layout = tower.result("managed.layout.list", {"container_id": victim.id})["items"][0]
    pane = tower.result("managed.pane.list", {"layout_id": layout["layout_id"]})["items"][0]
    agent = pane["agent_id"]
    route = {"source_scope_kind": "any", "event_type": "error", "template": "x"}
    by_container = [
        (
            "managed.layout.create",
            {"container_id": ref, "template_name": "1m+2s", "tmux_session_name": "mine"},
        )
        for ref in (str(victim.id), str(victim.id)[:12], str(victim.name), "/" + str(victim.name))
    ]
    return [
        *by_container,
        ("managed.layout.detail", {"layout_id": layout["layout_id"]}),
        ("managed.layout.watch", {"layout_id": layout["layout_id"], "wait_seconds": 0}),
        ("managed.layout.remove", {"layout_id": layout["layout_id"]}),
        ("managed.pane.detail", {"pane_id": pane["pane_id"]}),
        ("managed.pane.remove", {"pane_id": pane["pane_id"]}),
        ("managed.pane.recreate", {"predecessor_pane_id": pane["pane_id"]}),
        ("set_label", {"agent_id": agent, "label": "owned"}),
        ("set_role", {"agent_id": agent, "role": "shell"}),
        ("set_capability", {"agent_id": agent, "capability": "shell"}),
        ("attach_log", {"agent_id": agent}),
        ("detach_log", {"agent_id": agent}),
        ("attach_log_status", {"agent_id": agent}),
        ("attach_log_preview", {"agent_id": agent, "lines": 1}),
        ("logs.read", {"agent_id": agent}),
        ("scan_panes", {"container": victim.id}),
        ("shutdown", {}),
        ("scan_containers", {}),
        ("queue.operator_input", {"target": agent, "body": "x"}),
        ("routing.disable", {}),
        *[(name, dict(route)) for name in ("app.route.add", "app.nonsense")],
    ]


LISTS = (
    "managed.layout.list",
    "managed.pane.list",
    "managed.event.list",
    "list_agents",
    "list_panes",
    "list_containers",
    "queue.list",
    "routes.list",
    "events.list",
)


def agents_of(tower: Tower, bench: Container) -> list[dict[str, Any]]:
    return list(tower.result("list_agents", {"container_id": bench.id})["agents"])


def state_of(tower: Tower, victim: Container) -> str:
    """What must not change: the victim's rows and panes, and the switch."""
    layouts = tower.result("managed.layout.list", {"container_id": victim.id})["items"]
    kept = [(one["layout_id"], one["state"]) for one in layouts]
    agents = [(a["agent_id"], a["role"], a["label"]) for a in agents_of(tower, victim)]
    switch = tower.result("routing.status")["value"]
    return json.dumps([kept, agents, sorted(map(str, our_panes(victim))), switch], default=str)


def refused(answers: list[dict[str, Any]], requests: list[Request]) -> None:
    for (method, _), answer in zip(requests, answers, strict=True):
        assert answer["ok"] is False, (method, answer)
        allowed = ("host_only", "routing_toggle_host_only", "agent_not_found", "bad_request")
        assert answer["error"]["code"] in allowed, (method, answer)


def test_a_liar_gets_nothing_of_another_bench(
    tower: Tower, victim: Container, liar: Container
) -> None:
    requests, before = attacks(tower, victim), state_of(tower, victim)
    refused(ask(liar, *requests), requests)
    ids = [str(victim.id), *[agent["agent_id"] for agent in agents_of(tower, victim)]]
    everything = json.dumps(ask(liar, *[(name, {}) for name in LISTS]))
    assert [one for one in ids if one in everything] == []
    filtered = ask(liar, *[(name, {"container_id": victim.id}) for name in LISTS])
    for answer in filtered:  # some repeat the filter
        rows = [value for value in answer.get("result", {}).values() if isinstance(value, list)]
        assert str(victim.id) not in json.dumps(rows)
    assert state_of(tower, victim) == before


def test_every_app_name_is_host_only(tower: Tower, liar: Container) -> None:
    names = [name for name in method_table(cast(Any, None)) if name.startswith("app.")]
    assert {"app.preflight", "app.hello"} <= {*names}
    requests: list[Request] = [(name, {}) for name in (*names, "app.", "app.no.such", "app.x\0")]
    for answer in ask(liar, *requests):
        assert answer["app_contract_version"] == "1.1"
        assert (answer["error"]["code"], answer["error"]["details"]) == ("host_only", {})


def who(tower: Tower, bench: Container, **options: Any) -> str:
    """The container that the daemon takes a client in the bench for; ``nobody``, ``host``."""
    containers, scan = ask(bench, ("list_containers", {}), ("app.preflight", {}), **options)
    if scan["ok"]:
        return "host"
    if not containers["ok"]:
        assert containers["error"]["code"] == "host_only"
        return "nobody"
    (own,) = containers["result"]["containers"]
    return str(own["id"])


KINDS: dict[str, dict[str, Any]] = {
    "host-pids": {"pid_mode": "host"},
    "host-cgroups": {"cgroupns": "host"},
    "own-cgroups": {"cgroupns": "private"},
    "admin": {
        "cap_add": ["SYS_ADMIN", "SYS_PTRACE"],
        "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
        "pid_mode": "host",
        "cgroupns": "host",
    },
}


@pytest.mark.parametrize("kind", KINDS)
def test_containers_with_more_of_the_host(
    tower: Tower, bench_factory: BenchFactory, shared: Path, victim: Container, kind: str
) -> None:
    """Each is still itself, does what it can to be another, and stays itself or nobody."""
    bench = start(tower, bench_factory, shared, name_suffix=f"-{kind}", **KINDS[kind])
    tower.result("scan_containers")
    own = str(bench.id)
    assert who(tower, bench) == own
    requests = attacks(tower, victim)
    refused(ask(bench, *requests), requests)

    # Groups that it may make and move into.
    move = (
        '{ for d in /sys/fs/cgroup /sys/fs/cgroup/*; do g="$d/docker-$VICTIM.scope"; '
        'mkdir "$g" && echo $$ >"$g/cgroup.procs"; '
        'echo $$ >"$d/docker/$VICTIM/cgroup.procs"; done; } 2>/dev/null; exec "$@"'
    )
    moved = f"sh -c '{move}' sh"
    environ = {"VICTIM": str(victim.id), "HOST_SOCKET": SOCKET}
    assert who(tower, bench, enter=moved, environ=environ) in (own, "nobody")

    # Namespaces that it may make or enter: they change nothing of its groups.
    if kind != "admin":
        done = bench.exec_run(["nsenter", "-t", "1", "-p", "-m", "true"])
        assert done.exit_code != 0 or kind != "host-pids"
        return
    assert who(tower, bench, enter="unshare -m -p -f", environ={"HOST_SOCKET": SOCKET}) == own
    there = {"HOST_SOCKET": str(tower.socket_path)}
    assert who(tower, bench, enter="nsenter -t 1 -m -p -u -i", environ=there) == own


def test_a_client_whose_process_is_gone_is_nobody(tower: Tower, liar: Container) -> None:
    program = """
import os, socket, sys, time
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
parent = os.getpid()
if os.fork():
    time.sleep(0.05)
    os._exit(0)
while os.getppid() == parent:
    time.sleep(0.005)
connection.sendall(b'{"method":"list_containers"}\\n')
open("/shared/orphan", "wb").write(connection.recv(65536))
"""
    run_in(liar, program)
    answer = wait_until(
        lambda: liar.exec_run(["cat", "/shared/orphan"]).output, 20, "it to be answered"
    )
    assert json.loads(answer)["error"]["code"] == "host_only"


def test_a_connection_that_is_handed_on_stays_the_givers(
    tower: Tower, victim: Container, liar: Container, shared: Path
) -> None:
    """Giving it away is the giver's affair; who gets it speaks for the giver and nobody else."""
    take = """
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind("/shared/hand"); listener.listen()
peer, _ = listener.accept()
_, fds, _, _ = socket.recv_fds(peer, 1, 1)
given = socket.socket(fileno=fds[0])
given.sendall(b'{"method":"list_containers"}\\n')
open("/shared/given", "wb").write(given.recv(65536))
peer.sendall(b"x")
"""
    give = """
import socket, sys
connection = socket.socket(socket.AF_UNIX); connection.connect(sys.argv[1])
to = socket.socket(socket.AF_UNIX); to.connect("/shared/hand")
socket.send_fds(to, [b"x"], [connection.fileno()])
to.recv(1)
"""
    victim.exec_run(["python3", "-c", take, SOCKET], detach=True)
    wait_until((shared / "hand").exists, 20, "the other to listen")
    run_in(liar, give)
    (own,) = json.loads((shared / "given").read_text())["result"]["containers"]
    assert own["id"] == liar.id


FLOOD = """
import json, os, socket, sys, time
kind, count = sys.argv[2], int(sys.argv[3])
until = time.monotonic() + float(sys.argv[4])
children = []
for _ in range(8):
    child = os.fork()
    if child:
        children.append(child)
        continue
    held = []
    while time.monotonic() < until:
        try:
            one = socket.socket(socket.AF_UNIX)
            one.settimeout(5)
            one.connect(sys.argv[1])
            if kind == "half":
                one.send(b'{"method":"list_ag')
                held.append(one)
                held = held[-count:]
            elif kind == "long":
                one.sendall(b'{"method":"app.hello","params":{"x":"' + b"x" * (1 << 20) + b'"}}\\n')
            else:
                one.sendall(b'{"method":"list_agents","keep_open":true}\\n' * count)
                while one.recv(65536):
                    pass
        except OSError:
            pass
        if kind != "half":
            one.close()
    os._exit(0)
for child in children:
    os.waitpid(child, 0)
print("done")
"""


@pytest.mark.parametrize(("kind", "count"), [("half", 50), ("long", 1), ("work", 200)])
def test_a_flood_from_a_bench_stops_nobody_else(
    tower: Tower, victim: Container, liar: Container, shared: Path, kind: str, count: int
) -> None:
    flag = shared / f"flood-{kind}"
    script = f'python3 -c "$FLOOD" {SOCKET} {kind} {count} 1.5 >/shared/{flag.name}'
    liar.exec_run(["sh", "-c", script], detach=True, environment={"FLOOD": FLOOD})
    wait_until(flag.exists, 20, "the flood to begin")
    served = 0
    while not flag.read_text():
        assert call(tower.socket_path, "ping") == {}
        assert call(tower.socket_path, "list_agents", {"container_id": victim.id})["agents"]
        served += 1
    assert ask(victim, ("list_agents", {}))[0]["ok"] is True
    assert served > 0
    serve = tower.processes["serve"].pid
    assert tower.result("status")["pid"] == serve
    wait_until(lambda: sockets_of(serve) < 30, 20, "the connections to be freed")


def sockets_of(pid: int) -> int:
    return sum("socket:" in str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir())
